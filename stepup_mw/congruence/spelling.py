"""A request as a client may spell it, and the request line for it. Knows no framework, no server and no policy."""

from __future__ import annotations

import shlex
from typing import Literal, NamedTuple
from urllib.parse import quote

Headers = tuple[tuple[str, str], ...]

UPGRADE: Headers = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


class Spelling(NamedTuple):
    """``target`` as it stands on the request line, bytes as latin-1. ``root_path``: where the server is told that the
    app is mounted; servers put it before the path or find it there."""

    method: str
    target: str
    headers: Headers = ()
    kind: Literal["http", "websocket"] = "http"
    root_path: str = ""

    def shown(self) -> str:
        """The request line with what is peculiar about the rest."""
        more = "".join(f"  {name}: {value}" for name, value in self.headers)
        return f"{self.method} {self.target}{more}{'  (WebSocket)' if self.kind == 'websocket' else ''}"


def plain(method: str, path: str, *, kind: Literal["http", "websocket"] = "http", host: str = "") -> Spelling:
    """The spelling of a decoded path that every client would choose."""
    target = quote(path, safe="/-._~", errors="surrogateescape")
    return Spelling("GET" if kind == "websocket" else method, target, (("Host", host),) if host else (), kind)


def curl(spelling: Spelling, base: str = "http://127.0.0.1:8000") -> str:
    """A command that sends the request in exactly this spelling. ``base`` has no path."""
    words = ["curl", "-i"]
    words += ["-I"] if spelling.method == "HEAD" else ["-X", spelling.method]
    headers = spelling.headers + (UPGRADE if spelling.kind == "websocket" else ())
    for name, value in headers:
        words += ["-H", f"{name}: {value}"]
    if spelling.target.startswith("/") and "#" not in spelling.target:
        words += ["--path-as-is", base + spelling.target]
    else:
        words += ["--request-target", spelling.target, base]
    return shlex.join(words)
