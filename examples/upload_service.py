"""The twin of upload-service.ts for an application in Python: each upload goes through `cutover serve`.

CUTOVER_API_TOKEN=... python3 examples/upload_service.py [port]     (CUTOVER_API_URL: http://127.0.0.1:8080)

  POST /files?name=NAME   the body is the file   x-user: whose it is
  GET /files              the user's files       GET /files/ID   the bytes       DELETE /files/ID
"""
import os, shutil, sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

API = urlsplit(os.environ.get("CUTOVER_API_URL", "http://127.0.0.1:8080"))
TOKEN = os.environ["CUTOVER_API_TOKEN"]

class Service(BaseHTTPRequestHandler):
    def relay(self, method, path, ours, body=None, headers={}):
        """Asks `cutover serve` on behalf of the user, and hands its answer on. No file is ever in memory as a whole."""
        user = {"user": self.headers["x-user"]} if self.headers["x-user"] else {}
        api = HTTPConnection(API.netloc, timeout=600)
        try:
            address = f"{path}?{urlencode({**ours, **user, 'tool': 'kimi'})}"
            try:
                api.request(method, address, body, {"authorization": f"Bearer {TOKEN}", **headers})
            except BrokenPipeError:
                pass  # Refused before its end: the answer says why.
            answer = api.getresponse()
            self.send_response(answer.status)
            for name in ("content-type", "content-length", "retry-after"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            shutil.copyfileobj(answer, self.wfile)
        finally:
            api.close()

    def body(self, left):
        while left > 0:
            chunk = self.rfile.read1(min(left, 65536))
            if not chunk:
                raise ConnectionError("the client has gone")
            left -= len(chunk)
            yield chunk

    def do_POST(self):
        name, size = self.query("name") or {"name": "file"}, self.headers.get("content-length", "0")
        headers = {"content-type": self.headers.get("content-type", ""), "content-length": size}
        self.relay("POST", "/files", name, self.body(int(size)), headers)
    def do_GET(self):
        path = urlsplit(self.path).path
        self.relay("GET", path if path == "/files" else f"{path}/content", self.query("after"))
    def do_DELETE(self):
        self.relay("DELETE", urlsplit(self.path).path, {})
    def query(self, key):
        return {key: values[0] for values in [parse_qs(urlsplit(self.path).query).get(key)] if values}

server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Service)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
