"""Elasticsearch's bulk API as far as ote uses it, with a script of what goes wrong.

usage: bulk_server.py FOLDER PORT [CERTIFICATE KEY]
FOLDER/docs.jsonl gets every document that is taken, with its _id and _index; FOLDER/requests counts what was asked.
FOLDER/mode says what happens to the next requests: ok; busy (429 for all, Retry-After: 1); some (429 for every other
item that is new); lost (all is taken, and the connection cut before the answer); down (503).
"""
import gzip
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

FOLDER = Path(sys.argv[1])
LOCK = Lock()
SEEN = set()
REFUSED_ONCE = set()
if (FOLDER / "docs.jsonl").exists():
    for line in (FOLDER / "docs.jsonl").read_text().splitlines():
        SEEN.add(json.loads(line)["_id"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def take(self, action, doc, mode):
        entry = action["create"]
        key = entry["_id"]
        if key in SEEN:
            return {"create": {"status": 409, "error": {"type": "version_conflict_engine_exception"}}}
        if mode == "some" and key not in REFUSED_ONCE and len(REFUSED_ONCE) <= len(SEEN):
            REFUSED_ONCE.add(key)
            return {"create": {"status": 429, "error": {"type": "es_rejected_execution_exception"}}}
        SEEN.add(key)
        with open(FOLDER / "docs.jsonl", "a") as out:
            out.write(json.dumps({**doc, "_id": key, "_index": entry["_index"]}) + "\n")
        return {"create": {"status": 201}}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with LOCK:
            mode = (FOLDER / "mode").read_text().strip() if (FOLDER / "mode").exists() else "ok"
            with open(FOLDER / "requests", "a") as out:
                out.write(f"{self.path} {mode} {self.headers.get('Authorization', '-')}\n")
            assert self.path.startswith("/_bulk")
            assert self.headers["Content-Encoding"] == "gzip"
            lines = gzip.decompress(body).decode().splitlines()
            pairs = [(json.loads(a), json.loads(d)) for a, d in zip(lines[::2], lines[1::2])]
            if mode == "busy":
                return self.answer(429, {}, [("Retry-After", "1")])
            if mode == "down":
                return self.answer(503, {})
            items = [self.take(action, doc, mode) for action, doc in pairs]
        if mode == "lost":
            self.close_connection = True
            return self.connection.close()
        self.answer(200, {"errors": any(i["create"]["status"] >= 300 for i in items), "items": items})

    def log_message(self, form, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
