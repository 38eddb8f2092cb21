"""The wrapped apps of the HTTP scenarios: they answer with what they saw, and note on disk that they ran.

``asgi`` runs on uvicorn, ``wsgi`` on gunicorn. The clock is the machine's, moved by what stands in the file
``offset`` beside the configuration, so that a test can let time pass.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.doors.asgi import Scope, Send
from stepup_mw.doors.asgi_input import Receive
from stepup_mw.forms import form_token, form_token_sync
from stepup_mw.signals import Subject
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

SEEN = {"cookie": "HTTP_COOKIE", "content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
"""Headers that a run notes, with their keys in an environ."""

FOLDER = Path(os.environ.get("STEPUP_TEST_FOLDER", "."))


def clock() -> float:
    try:
        return time.time() + float((FOLDER / "offset").read_text())
    except (FileNotFoundError, ValueError):
        return time.time()


def note(method: str, path: str, context: Any, body: bytes, **more: str) -> bytes:
    """One line a run of the app, as bytes; also the answer. ``on_record``: the line that let this run begin stands in
    the trail already; None where no rule concerns it."""
    seen = None if context is None else context["request_id"].encode() in recent_lines()
    run = {"method": method, "path": path, "stepup": context, "body": body.decode("latin-1"), "on_record": seen, **more}
    line = json.dumps(run) + "\n"
    with (FOLDER / "reached").open("a") as file:
        file.write(line)
    return line.encode()


def recent_lines() -> bytes:
    """The access lines near the end of the trail."""
    try:
        with (FOLDER / "audit" / "stepup.jsonl").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 500_000))
            return b"".join(line for line in file if b'"phase":"access","status":"allowed"' in line)
    except OSError:
        return b""


def form_of(query: str) -> tuple[str, str]:
    """Where the form of a page at ``/form?POST /transfer`` goes: its path and method."""
    method, _, path = unquote(query).partition(" ")
    return path, method


async def inner_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": note("WS", scope["path"], scope.get("stepup"), b"").decode()})
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = dict(scope["headers"])
    seen = {name: headers.get(name.encode(), b"").decode("latin-1") for name in SEEN}
    seen["query"] = scope["query_string"].decode()
    answer = note(scope["method"], scope["path"], scope.get("stepup"), body, **seen)
    if scope["path"] == "/fail/raise":
        raise RuntimeError("the app failed")
    if scope["path"] == "/fail/slow":
        await trickle(receive, send)
        return
    if scope["path"] == "/form":
        answer = (await form_token(scope, *form_of(seen["query"]))).encode()
    status = 500 if scope["path"] == "/fail/500" else 200
    told = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": answer})


async def trickle(receive: Receive, send: Send) -> None:
    """An answer that lasts until the client has gone."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


def drip() -> Iterator[bytes]:
    """The same for WSGI: it ends when the server closes it."""
    for _ in range(400):
        yield b"drop\n" * 20_000
        time.sleep(0.02)


def inner_wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    length = environ.get("CONTENT_LENGTH")
    whole = length is None and environ.get("wsgi.input_terminated")
    body = environ["wsgi.input"].read() if whole else environ["wsgi.input"].read(int(length or 0))
    path = environ["PATH_INFO"]
    seen = {name: environ.get(key) or "" for name, key in SEEN.items()} | {"query": environ.get("QUERY_STRING", "")}
    answer = note(environ["REQUEST_METHOD"], path, environ.get("stepup"), body, **seen)
    if path == "/fail/raise":
        raise RuntimeError("the app failed")
    if path == "/fail/slow":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return drip()
    if path == "/form":
        answer = form_token_sync(environ, *form_of(seen["query"])).encode()
    status = "500 Internal Server Error" if path == "/fail/500" else "200 OK"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def large(subject: Subject) -> bool:
    """A signal of the app's own: it looks at the body, and fails on some."""
    if subject.body == b"odd":
        raise ValueError("not an amount")
    return int(subject.body or b"0") > 1000


async def who(native: dict[str, Any]) -> tuple[str, str] | None:
    """An identity provider of the app's own; the same for a scope and an environ."""
    query = native.get("query_string") or native.get("QUERY_STRING", "").encode()
    if query == b"raise":
        raise LookupError("no session store")
    return (query.decode(), "s1") if query else None


if "STEPUP_TEST_FOLDER" in os.environ:
    asgi = AsgiStepUp(inner_asgi, config=FOLDER / "stepup.toml", clock=clock)
    wsgi = WsgiStepUp(inner_wsgi, config=FOLDER / "stepup.toml", clock=clock)
    bare_asgi, bare_wsgi = inner_asgi, inner_wsgi
