"""An S3 server for the tests that accepts locks and keeps only some of them. Knows the few calls a canary makes."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import parse_qs, urlsplit

DENIED = b"<Error><Code>AccessDenied</Code><Message>locked</Message></Error>"


@dataclass
class Liar:
    """``lies``: what it does although the object is locked: delete, bypass, batch, retention, rewrite, unversioned."""

    lies: frozenset[str]
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def put(self, query: dict[str, list[str]], headers: Message, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if "retention" in query:
            if "retention" not in self.lies:
                return 403, {}, DENIED
            self.headers["x-amz-object-lock-mode"] = "GOVERNANCE"
            return 200, {}, b""
        kept = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")
        self.body = body.replace(b"bucket", b"bUcket") if "rewrite" in self.lies else body
        self.headers = {name: headers[name] for name in kept}
        return 200, {} if "unversioned" in self.lies else {"x-amz-version-id": "v1"}, b""

    def get(self, _query: dict[str, list[str]], _headers: Message, _body: bytes) -> tuple[int, dict[str, str], bytes]:
        if not self.body:
            return 404, {}, b"<Error><Code>NoSuchVersion</Code><Message>gone</Message></Error>"
        return 200, self.headers, self.body

    def delete(self, _query: dict[str, list[str]], headers: Message, _: bytes) -> tuple[int, dict[str, str], bytes]:
        way = "bypass" if headers["x-amz-bypass-governance-retention"] else "delete"
        if way not in self.lies:
            return 403, {}, DENIED
        self.body = b""
        return 204, {}, b""

    def post(self, _query: dict[str, list[str]], _headers: Message, _body: bytes) -> tuple[int, dict[str, str], bytes]:
        if "batch" in self.lies:
            self.body = b""
            return 200, {}, b"<DeleteResult></DeleteResult>"
        error = DENIED.replace(b"</Error>", b"<VersionId>v1</VersionId></Error>")
        return 200, {}, b"<DeleteResult>" + error + b"</DeleteResult>"


@contextlib.contextmanager
def liar(*lies: str) -> Iterator[str]:
    """The endpoint of a server with these lies."""
    state = Liar(frozenset(lies))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
            status, headers, data = getattr(state, self.command.lower())(query, self.headers, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - the names are the library's

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
