#!/usr/bin/env python3
"""A shim in some 30 lines, ote-shim(7): one process an app, which ends with the shim and is not started again."""
import json, os, subprocess, sys, threading
running = {}  # key of an app: (assignment, process)
def say(**document): os.write(1, json.dumps(document).encode() + b"\n")
def tell(want, phase, why=""):
    say(status={"app": want["app"], "from": want["from"], "revision": want["revision"], "phase": phase,
                "wanted": 1, "healthy": int(phase == "healthy"), "message": why})
def log(key): return os.path.join(folder, key.replace("/", "+") + ".log")
def same(key, want): return key in running and running[key][0]["digest"] == want["digest"]
def watch(key, want, process):
    code = process.wait()
    if running.get(key) == (want, process): tell(want, "failed", f"exited with {code}")
def stop(key):
    want, process = running.pop(key, (None, None))
    if process: process.terminate(), process.wait()
    return want
def start(key, want):
    process = subprocess.Popen(want["workload"]["command"], env={"PATH": os.defpath, **want["workload"]["env"]},
                               cwd=folder, stdin=subprocess.DEVNULL, stdout=open(log(key), "ab"), stderr=subprocess.STDOUT)
    running[key] = (want, process)
    tell(want, "healthy")
    threading.Thread(target=watch, args=(key, want, process), daemon=True).start()
for ask in map(json.loads, sys.stdin):
    verb, want, ok = ask["do"], ask.get("assignment"), {}
    key = ask.get("app") or (want and "/".join(filter(None, (want["from"], want["app"]))))
    try:
        if verb == "hello": folder, ok = ask["folder"], {"ote": 1, "name": "example"}
        elif verb == "apply": same(key, want) or (stop(key), start(key, want))
        elif verb == "remove": stop(key)
        elif verb == "restart": start(key, stop(key))
        elif verb == "diff": ok = {"text": "" if same(key, want) else "it would change\n"}
        elif verb == "logs":
            for text in open(log(key), errors="replace").read().splitlines()[-ask["tail"]:]: say(line={"id": ask["id"], "text": text})
        say(id=ask["id"], ok=ok)
    except Exception as why: say(id=ask["id"], error={"message": f"{verb} {key}: {why!r}"})
for key in list(running): stop(key)
