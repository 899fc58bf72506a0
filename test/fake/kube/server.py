#!/usr/bin/env python3
"""A scripted Kubernetes API server for tests: server.py FOLDER. Writes certificates and a kubeconfig into the folder,
prints its port, and serves until its standard input ends. /_test/ is for the test: faults, compaction, objects."""
import http.server
import json
import re
import select
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

from objects import Refusal, Store, matches

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
folder = Path(sys.argv[1])
store = Store()
state = {"discovery": "v2", "faults": [], "seen": [], "token": "secret-token", "metrics": None, "bookmarks": 0.3,
         "logs": {}, "split": 0, "hangups": 0, "open_logs": 0}


def make_certificates():
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
            "-out", "ca.crt", "-subj", "/CN=test-ca", "-days", "2")
    for name, subject, extra in (("server", "/CN=kube", "subjectAltName=DNS:kube.test,IP:127.0.0.1"),
                                 ("client", "/O=system:masters/CN=ote", "extendedKeyUsage=clientAuth")):
        (folder / "extra").write_text(extra)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key",
                "-out", name + ".csr", "-subj", subject)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                name + ".crt", "-days", "2", "-extfile", "extra")


def write_kubeconfig(port):
    plugin = folder / "plugin"
    plugin.write_text('#!/bin/sh\necho run >> "$0.log"\necho \'{"apiVersion":"client.authentication.k8s.io/v1",'
                      '"kind":"ExecCredential","status":{"token":"secret-token"}}\'\n')
    plugin.chmod(0o755)
    (folder / "token").write_text("secret-token\n")
    users = {"cert": {"client-certificate": "client.crt", "client-key": "client.key"}, "token": {"token": "secret-token"},
             "file": {"tokenFile": "token"}, "wrong": {"token": "another"},
             "exec": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
                               "interactiveMode": "Never"}}}
    server = f"https://127.0.0.1:{port}"
    clusters = {"here": {"server": server, "certificate-authority": "ca.crt"},
                "named": {"server": server, "certificate-authority": "ca.crt", "tls-server-name": "kube.test"},
                "misnamed": {"server": server, "certificate-authority": "ca.crt", "tls-server-name": "other.test"},
                "untrusted": {"server": server}}
    contexts = [{"name": u, "context": {"cluster": "here", "user": u}} for u in users]
    contexts += [{"name": c, "context": {"cluster": c, "user": "token"}} for c in clusters if c != "here"]
    (folder / "kubeconfig").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "cert", "contexts": contexts,
        "clusters": [{"name": n, "cluster": c} for n, c in clusters.items()],
        "users": [{"name": n, "user": u} for n, u in users.items()]}))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def answer(self, code, body, kind="application/json", headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if url.path.startswith("/_test/"):
                return self.answer(200, self.control(url.path[7:], json.loads(body or b"{}")))
            state["seen"].append(f"{self.command} {self.path}")
            for fault in state["faults"]:
                if fault["count"] > 0 and re.search(fault["match"], f"{self.command} {self.path}"):
                    fault["count"] -= 1
                    if fault.get("cut"):
                        self.close_connection = True
                        return None
                    return self.answer(fault["status"], fault.get("body", {}), headers=fault.get("headers", ()))
            if not self.allowed():
                raise Refusal(401, "Unauthorized", "Unauthorized")
            return self.route(url.path, body)
        except Refusal as refusal:
            return self.answer(refusal.code, refusal.status)

    do_GET = do_PATCH = do_DELETE = do_POST = serve

    def allowed(self):
        if self.connection.getpeercert():
            return True
        return self.headers.get("Authorization") == "Bearer " + state["token"]

    def control(self, what, body):
        with store.lock:
            if what == "set":
                state.update(body)
            elif what == "store":
                for name, value in body.items():
                    setattr(store, name, value)
            elif what == "compact":
                store.compacted = store.version
                store.log.clear()
                store.lock.notify_all()
            elif what == "hangup":
                state["hangups"] += 1
                store.lock.notify_all()
            elif what == "count":
                return {"logs": state["open_logs"]}
            elif what == "seen":
                seen, state["seen"] = state["seen"], []
                return {"seen": seen}
            elif what == "put":
                key = (body["plural"], body.get("namespace", ""), body["object"]["metadata"]["name"])
                if key in store.objects:
                    store.objects[key].update({k: v for k, v in body["object"].items() if k != "metadata"})
                    store.objects[key]["metadata"].update(body["object"]["metadata"])
                    store.note("MODIFIED", key[0], store.objects[key])
                else:
                    store.create(key[0], key[1], body["object"])
            elif what == "many":
                for i in range(body["count"]):
                    store.create("configmaps", "default", {"apiVersion": "v1", "kind": "ConfigMap",
                                                           "metadata": {"name": f"many-{i:05}"}})
            elif what == "remove":
                store.remove((body["plural"], body.get("namespace", ""), body["name"]))
        return {}

    def route(self, path, body):
        if path == "/version":
            return self.answer(200, {"major": "1", "minor": "28", "gitVersion": "v1.28.2+k3s1"})
        if path in ("/api", "/apis"):
            return self.discover(path)
        if path == "/apis/metrics.k8s.io/v1beta1/nodes" and state["metrics"]:
            return self.answer(200, state["metrics"])
        parts = path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        if not rest:
            return self.answer(200, self.resource_list(group, version))
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        kind = next((k for k in store.served() if (k["group"], k["version"], k["plural"]) == (group, version, rest[0])),
                    None)
        if kind is None:
            return self.answer(404, b"404 page not found\n", "text/plain; charset=utf-8")
        if len(rest) == 3 and rest[2] == "log":
            return self.logs(rest[1])
        if len(rest) == 1:
            return self.watch(kind, namespace) if self.query.get("watch") else self.list(kind, namespace)
        key = (kind["plural"], namespace, rest[1])
        with store.lock:
            if self.command == "PATCH":
                return self.patch(kind, key, json.loads(body))
            if key not in store.objects:
                raise Refusal(404, "NotFound", f'{key[0]} "{key[2]}" not found')
            if self.command == "DELETE":
                store.delete(key, json.loads(body or b"{}"))
                return self.answer(200, {"kind": "Status", "status": "Success"})
            return self.answer(200, store.objects[key])

    def patch(self, kind, key, body):
        if self.headers.get("Content-Type") != "application/apply-patch+yaml":
            raise Refusal(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
        if not self.query.get("fieldManager"):
            raise Refusal(422, "Invalid", "fieldManager is required for apply patch")
        wanted = kind["version"] if not kind["group"] else f"{kind['group']}/{kind['version']}"
        if body.get("apiVersion") != wanted or body.get("kind") != kind["kind"]:
            raise Refusal(400, "BadRequest", "the API version in the data does not match the expected API version")
        obj, new = store.apply(kind, key[1], key[2], body, self.query["fieldManager"],
                               self.query.get("force") == "true", self.query.get("dryRun") == "All")
        return self.answer(201 if new else 200, obj)

    def discover(self, path):
        core = path == "/api"
        kinds = [k for k in store.served() if (k["group"] == "") == core]
        groups = sorted({k["group"] for k in kinds})
        accept, mode = self.headers.get("Accept", ""), state["discovery"]
        if mode != "plain" and f"v={mode};as=APIGroupDiscoveryList" in accept:
            return self.answer(200, {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/" + mode,
                                     "metadata": {}, "items": [{"metadata": {"name": g} if g else {}, "versions": [
                                         {"version": v, "freshness": "Current", "resources": [
                                             {"resource": k["plural"], "scope": self.scope(k), "verbs": VERBS,
                                              "responseKind": {"group": g, "version": v, "kind": k["kind"]},
                                              "singularResource": k["kind"].lower()}
                                             for k in kinds if (k["group"], k["version"]) == (g, v)]}
                                         for v in sorted({k["version"] for k in kinds if k["group"] == g})]}
                                                              for g in groups]})
        if core:
            return self.answer(200, {"kind": "APIVersions", "versions": ["v1"]})
        return self.answer(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": g, "versions": [{"groupVersion": f"{g}/{v}", "version": v}
                                     for v in sorted({k["version"] for k in kinds if k["group"] == g})]}
            for g in groups]})

    @staticmethod
    def scope(kind):
        return "Namespaced" if kind["namespaced"] else "Cluster"

    def resource_list(self, group, version):
        return {"kind": "APIResourceList", "groupVersion": f"{group}/{version}".strip("/"), "resources": [
            {"name": k["plural"], "namespaced": k["namespaced"], "kind": k["kind"], "verbs": VERBS}
            for k in store.served() if (k["group"], k["version"]) == (group, version)] + [
                {"name": "pods/log", "namespaced": True, "kind": "Pod", "verbs": ["get"]}]}

    def list(self, kind, namespace):
        with store.lock:
            metadata, items = store.list(kind["plural"], namespace, self.query.get("labelSelector", ""),
                                         int(self.query.get("limit") or 0), self.query.get("continue"))
            return self.answer(200, {"kind": kind["kind"] + "List", "apiVersion": kind["version"],
                                     "metadata": metadata, "items": items})

    def chunk(self, data):
        pieces = [data]
        if state["split"]:
            pieces = [data[i:i + state["split"]] for i in range(0, len(data), state["split"])]
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    def start_stream(self, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def watch(self, kind, namespace):
        at, selector = int(self.query["resourceVersion"]), self.query.get("labelSelector", "")
        until = time.time() + int(self.query.get("timeoutSeconds", 300))
        self.start_stream("application/json")
        bookmark = time.time() + state["bookmarks"]
        known, hangups = set(), state["hangups"]
        while time.time() < until:
            with store.lock:
                if state["hangups"] != hangups:
                    self.close_connection = True
                    return
                if at < store.compacted:
                    events = [("ERROR", Refusal(410, "Expired", f"too old resource version: {at}").status)]
                else:
                    events = []
                    for version, what, plural, obj in store.log:
                        fits = plural == kind["plural"] and namespace in ("", obj["metadata"].get("namespace", ""))
                        if version > at and fits and (matches(obj, selector) or obj["metadata"]["uid"] in known):
                            known.add(obj["metadata"]["uid"])
                            events.append((what, obj))
                            at = version
                    # A bookmark passes over nothing: that there is no event and where it stands are one look.
                    if not events and time.time() >= bookmark and self.query.get("allowWatchBookmarks") == "true":
                        bookmark = time.time() + state["bookmarks"]
                        at = max(at, store.version)
                        events = [("BOOKMARK", {"kind": kind["kind"], "metadata": {"resourceVersion": str(at)}})]
                    if not events:
                        store.lock.wait(min(0.2, max(0.01, bookmark - time.time())))
            try:
                for what, obj in events:
                    self.chunk(json.dumps({"type": what, "object": obj}).encode() + b"\n")
                    if what == "ERROR":
                        until = 0
            except OSError:
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")

    def logs(self, pod):
        """Line n of a container was written at n milliseconds past a fixed time."""
        told, hangups = 0, state["hangups"]
        if "tailLines" in self.query:
            told = max(0, len(state["logs"].get(pod, [])) - int(self.query["tailLines"]))
        if "sinceTime" in self.query:
            told = int(self.query["sinceTime"][20:23])
        self.start_stream("text/plain")
        state["open_logs"] += 1
        try:
            while True:
                lines = state["logs"].get(pod, [])
                for i in range(told, len(lines)):
                    self.chunk(f"2026-01-02T03:04:05.{i:03}678901Z {lines[i]}\n".encode())
                told = max(told, len(lines))
                if self.query.get("follow") != "true":
                    break
                if state["hangups"] != hangups or select.select([self.connection], [], [], 0.05)[0]:
                    self.close_connection = True
                    return
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        finally:
            state["open_logs"] -= 1


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def main():
    make_certificates()
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    context.load_verify_locations(folder / "ca.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    # The handshake is the thread's of the connection, not that of all.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    write_kubeconfig(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
