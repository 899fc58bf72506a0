"""A root and its members as real agents on this machine, spoken to by the commands that a person types."""

import json
import os
import shutil
import subprocess
import tempfile
import time


class Failed(Exception):
    """A command failed; its text is what the command said."""


class Federation:
    """Agents in a scratch folder: `with Federation(bin, ["site-1", "site-2"]) as fed`. They end with the block."""

    def __init__(self, programs, sites):
        self.sites = sites
        self.names = 0
        self.registered = set()  # data sets that all who shall have them have
        # Short: the path of a unix socket has at most 107 characters.
        self.folder = tempfile.mkdtemp(prefix="ote-parity.", dir="/tmp")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("OTE_")}
        self.environment.update(PATH=programs + os.pathsep + os.environ["PATH"], NO_COLOR="1", LC_ALL="C.UTF-8",
                                OTE_HOME=self.path("home"))

    def __enter__(self):
        try:
            self.ote("cluster", "init", "hq", "--state", self.path("hq"), "--listen", "tcp://127.0.0.1:0", "-q")
            for site in self.sites:
                token = self.ote("cluster", "token", "create", "-q", "--state", self.path("hq"))
                self.ote("cluster", "join", "-", "--name", site, "--state", self.path(site), "-q", given=token)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in [*self.sites, "hq"]:
            if os.path.isdir(self.path(name)):
                subprocess.run(["ote", "cluster", "stop", "--force", "--state", self.path(name), "-q"],
                               env=self.environment, check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def ote(self, *arguments, given=None):
        """Standard output of the command."""
        done = subprocess.run(["ote", *arguments], input=given, env=self.environment, capture_output=True, text=True,
                              timeout=600, check=False)
        if done.returncode != 0:
            raise Failed(f"ote {' '.join(arguments)}: exit status {done.returncode}\n{done.stderr}")
        return done.stdout

    def add(self, dataset, files, *flags):
        """Registers a file at each of these sites, all of whose rows are trained on, and waits until the root knows."""
        for site, file in files.items():
            self.ote("data", "add", dataset, "--path", file, "--test-fraction", "0", "--state", self.path(site), "-q",
                     *flags)
        deadline = time.monotonic() + 60
        while True:
            listed = json.loads(self.ote("cluster", "list", "--state", self.path("hq"), "-o", "json"))["items"]
            ready = {item["name"] for item in listed
                     if item["status"] == "ready" and any(dataset in str(has) for has in item["datasets"])}
            if ready.issuperset(files):
                return
            if time.monotonic() > deadline:
                raise Failed(f"data set {dataset}: the root did not hear of it at {sorted(set(files) - ready)}")
            time.sleep(0.1)

    def run(self, spec, sites):
        """Trains what the run file `spec` says at all of `sites`; the path of the model's file."""
        self.names += 1
        spec = {**spec, "name": f"run-{self.names}", "sites": {"clusters": sites, "minimum": len(sites)}}
        file, model = self.path("run.json"), self.path(f"run-{self.names}.safetensors")
        with open(file, "w", encoding="utf-8") as out:
            json.dump(spec, out)
        self.ote("fl", "run", "-f", file, "--state", self.path("hq"), "-o", "json")
        self.ote("model", "export", spec["name"], "--to", model, "--state", self.path("hq"), "-q")
        return model

    def measure(self, model, file, *flags):
        """The metrics of the model on the rows of a file, as ote tells them."""
        return json.loads(self.ote("model", "evaluate", model, "--data", file, "-o", "json", *flags))["metrics"]
