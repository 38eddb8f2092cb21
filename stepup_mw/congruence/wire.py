"""What servers make of a request line: the scope or environ they hand on, each in its own way.

Written after uvicorn (both parsers), hypercorn, granian, gunicorn and waitress; the tests hold it against the servers.
A server that refuses a target altogether hands on nothing; here it does all the same, for another may not.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from .spelling import Spelling

Native = dict[str, Any]

_HOST = ("Host", "localhost:8000")


def handed(spelling: Spelling, interface: Literal["asgi", "wsgi"]) -> Iterator[tuple[str, Native]]:
    """The kinds of servers, and what each hands to the app. Kinds that agree on a spelling are told once."""
    models = _ASGI if interface == "asgi" else _WSGI
    seen: list[tuple[Any, ...]] = []
    for name, model in models.items():
        target = model(spelling.target)
        if target is None:
            continue
        native = _scope(spelling, *target) if interface == "asgi" else _environ(spelling, name, *target)
        told = tuple(native.get(key) for key in _TELLING)
        if told not in seen:
            seen.append(told)
            yield name, native


def _as_sent(target: str) -> tuple[str, str] | None:
    path, _, query = target.partition("?")
    return path, query


def _origin_form(target: str) -> tuple[str, str] | None:
    """Without a scheme and a host, and without a fragment."""
    if target.startswith("/"):
        path, _, query = target.partition("#")[0].partition("?")
        return path, query
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    return (parts.path or "/", parts.query) if parts.scheme or parts.netloc else None


_ASGI = {"uvicorn (h11), hypercorn, granian": _as_sent, "uvicorn (httptools)": _origin_form}
_WSGI = {"granian": _as_sent, "gunicorn": _origin_form, "waitress": _origin_form}
_TELLING = ("path", "query_string", "PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "RAW_URI", "REQUEST_URI")


def _scope(spelling: Spelling, path: str, query: str) -> Native:
    is_http = spelling.kind == "http"
    scope: Native = {
        "type": spelling.kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http" if is_http else "ws",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": spelling.root_path,
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in _headers(spelling)],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 8000),
        "state": {},
    }
    if is_http:
        return scope | {"method": spelling.method}
    return scope | {"subprotocols": list[str]()}


def _environ(spelling: Spelling, server: str, path: str, query: str) -> Native:
    path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    environ: Native = {
        "REQUEST_METHOD": spelling.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/" + path.lstrip("/") if server == "waitress" and path.startswith("/") else path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if server != "granian":
        environ["RAW_URI" if server == "gunicorn" else "REQUEST_URI"] = spelling.target
    for name, value in _headers(spelling):
        if name == "SCRIPT_NAME" and server == "gunicorn":  # it believes that of a peer on this host
            environ["SCRIPT_NAME"] = value
        else:
            key = f"HTTP_{name.upper().replace('-', '_')}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    script = environ["SCRIPT_NAME"] or spelling.root_path
    if script and _is_below(environ["PATH_INFO"], script, server):
        environ |= {"SCRIPT_NAME": script, "PATH_INFO": environ["PATH_INFO"][len(script) :]}
    else:
        environ["SCRIPT_NAME"] = spelling.root_path
    return environ


def _is_below(path: str, script: str, server: str) -> bool:
    """waitress looks for the end of a segment; the others do not."""
    return path.startswith(script) and (server != "waitress" or path[len(script) :][:1] in ("", "/"))


def _headers(spelling: Spelling) -> list[tuple[str, str]]:
    own = any(name == "Host" for name, _ in spelling.headers)
    return [*([] if own else [_HOST]), *spelling.headers]
