"""Wrapped apps whose answers go on: events, a file in pieces, a WebSocket; and one that takes its time and is whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.doors.asgi_input import Receive
from stepup_mw.doors.asgi_watch import Scope, Send
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from .witness import FOLDER, clock, note

EVERY_S, PIECES = 0.1, 300
TYPES = {"/events": "text/event-stream; charset=utf-8", "/file": "application/octet-stream", "/slow": "text/plain"}
SLOW_S = 3.0


async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await live(scope, receive, send)
    if scope["type"] != "http":
        return
    name = "/" + scope["path"].rpartition("/")[2]
    note(scope["method"], scope["path"], scope["stepup"], b"")
    if name == "/slow":
        await asyncio.sleep(SLOW_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", TYPES[name].encode())]})
    if name == "/slow":
        await send({"type": "http.response.body", "body": b"whole"})
        return
    try:
        for number in range(PIECES):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            await asyncio.sleep(EVERY_S)
        await send({"type": "http.response.body", "body": b""})
    finally:
        (FOLDER / "tidied").write_text("yes")


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    note("WS", scope["path"], scope["stepup"], b"")
    try:
        for number in range(PIECES):
            await send({"type": "websocket.send", "text": str(number)})
            await asyncio.sleep(EVERY_S)
    finally:
        (FOLDER / "tidied").write_text("yes")


def pieces() -> Iterator[bytes]:
    try:
        for number in range(PIECES):
            yield b"data: %d\n\n" % number
            time.sleep(EVERY_S)
    finally:
        (FOLDER / "tidied").write_text("yes")


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    name = "/" + environ["PATH_INFO"].rpartition("/")[2]
    note(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["stepup"], b"")
    if name == "/slow":
        time.sleep(SLOW_S)
    start_response("200 OK", [("Content-Type", TYPES[name])])
    return [b"whole"] if name == "/slow" else pieces()


asgi = AsgiStepUp(asgi_app, config=FOLDER / "stepup.toml", clock=clock)
wsgi = WsgiStepUp(wsgi_app, config=FOLDER / "stepup.toml", clock=clock)
