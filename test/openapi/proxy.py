# SPDX-License-Identifier: Apache-2.0
"""A recording proxy: stands in front of a catalog and keeps every request with its answer.

Real clients are pointed at it, and what they and the server said to each other is checked against
the OpenAPI file afterwards. It forwards the path and the body byte for byte.
"""

import http.client
import threading
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host",
              "content-length"}


@dataclass
class Exchange:
    """One request and its answer; `path` is as sent, with the query."""

    method: str
    path: str
    request_headers: dict
    request_body: bytes
    status: int
    headers: dict
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _forward(self):
        body = self._body()
        sent = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body or None, sent)
            answer = upstream.getresponse()
            received = answer.read()
        finally:
            upstream.close()
        self.server.exchanges.append(Exchange(
            self.command, self.path, dict(self.headers.items()), body, answer.status,
            dict(answer.headers.items()), received))
        self._answer(answer, received)

    def _answer(self, answer, received):
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status not in (204, 304) and self.command != "HEAD":
            self.send_header("Content-Length", str(len(received)))
        self.end_headers()
        self.wfile.write(received)

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = do_PATCH = _forward

    def log_message(self, *_):
        """Says nothing: the exchanges are the log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that hangs up in the middle is the client's affair."""


class Proxy:
    """The running proxy; `exchanges` grows while it runs."""

    def __init__(self, upstream_uri):
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.upstream = urllib.parse.urlsplit(upstream_uri).netloc
        self._server.exchanges = self.exchanges = []
        self.uri = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """Takes no more connections."""
        self._server.shutdown()
        self._server.server_close()
