"""A stand-in for the Hugging Face hub: repositories in memory, behind the part of its protocol that uploads and downloads use."""
import base64
import hashlib
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "a" * 40


class Hub(BaseHTTPRequestHandler):
    files: dict = {}        # path -> bytes, of the one repository
    known = True            # does it accept who asks?
    protocol_version = "HTTP/1.1"

    def answer(self, body=b"", code=200, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        home = f"http://{self.headers['Host']}/you/overseer"
        if self.path == "/api/repos/create":
            self.answer({"url": home, "name": "you/overseer"})
        elif self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            names = [f["path"] for f in json.loads(body)["files"]]
            self.answer({"files": [{"path": n, "uploadMode": "regular", "shouldIgnore": False, "oid": None} for n in names]})
        elif "/commit/" in self.path:
            for line in body.decode().splitlines():
                what = json.loads(line)
                if what["key"] == "file":
                    self.files[what["value"]["path"]] = base64.b64decode(what["value"]["content"])
                if what["key"] == "deletedFile":
                    self.files.pop(what["value"]["path"], None)
            self.answer({"commitUrl": f"{home}/commit/{COMMIT}", "commitOid": COMMIT, "success": True})
        else:
            self.answer({"error": self.path}, 404)

    def do_GET(self):
        path = unquote(self.path.split("?")[0])
        if not self.known:
            self.answer({"error": "Invalid username or password."}, 401)
        elif path.startswith("/api/whoami"):
            self.answer({"type": "user", "name": "you", "auth": {"accessToken": {"role": "write"}}})
        elif "/resolve/" in path:
            data = self.files.get(path.split("/resolve/")[1].split("/", 1)[1])
            if data is None:
                return self.answer(b"", 404, X_Error_Code="EntryNotFound")
            self.answer(data, ETag=f'"{hashlib.sha1(data).hexdigest()}"', X_Repo_Commit=COMMIT)
        elif "/tree/" in path:
            self.answer([{"type": "file", "path": k, "size": len(v), "oid": "1"} for k, v in self.files.items()])
        else:
            siblings = [{"rfilename": k} for k in self.files]
            self.answer({"id": "you/overseer", "sha": COMMIT, "siblings": siblings, "private": True})

    do_HEAD = do_GET


class Server(ThreadingHTTPServer):
    request_queue_size = 64     # the client asks for many files at once
    daemon_threads = True


@contextmanager
def running(known=True):
    "A hub that runs for the time of a `with`, found by the client in this process and its children; yields its files."
    files = {}
    server = Server(("127.0.0.1", 0), type("Running", (Hub,), {"files": files, "known": known}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from huggingface_hub import constants, hf_api
    url, before = f"http://127.0.0.1:{server.server_port}", constants.ENDPOINT
    variables = {k: os.environ.get(k) for k in ("HF_ENDPOINT", "HF_TOKEN")}
    os.environ.update(HF_ENDPOINT=url, HF_TOKEN="hf_anything")

    def point_to(endpoint):
        constants.ENDPOINT = hf_api.api.endpoint = endpoint
        constants.HUGGINGFACE_CO_URL_TEMPLATE = endpoint + "/{repo_id}/resolve/{revision}/{filename}"

    point_to(url)
    try:
        yield files
    finally:
        point_to(before)
        for name, value in variables.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        server.shutdown()
