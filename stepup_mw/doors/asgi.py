"""The ASGI door. A request that no rule concerns goes straight to the app: one look at the path, nothing wrapped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Protocol

from ..errors import BodyTooLarge, Unsupported
from ..gate import Gate
from ..messages import Ending, Finish, Pass, Request, Response
from .nesting import own_root_path

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSE_CODE = 4401
"""WebSocket close code of a refused handshake, where the server cannot send an HTTP answer."""


class Running(Protocol):
    """What a door needs of the assembled service."""

    @property
    def gate(self) -> Gate: ...

    def concerns(self, path: str, root_path: str, raw_path: bytes | None) -> bool: ...

    def start(self) -> None: ...

    async def aclose(self) -> None: ...


class AsgiDoor:
    def __init__(self, app: App, running: Running, *, own_root: str | None = None) -> None:
        self.app = app
        self._own_root = own_root_path(app) if own_root is None else own_root
        self._running = _Rooted(running, self._own_root) if self._own_root else running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" or kind == "websocket":  # noqa: PLR1714 - a third of the time of a tuple look-up
            if self._running.concerns(scope["path"], scope.get("root_path", ""), scope.get("raw_path")):
                await self._guarded(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        elif kind == "lifespan":
            await self.app(scope, receive, self._with_lifespan(send))
        else:
            raise Unsupported(f"ASGI scope of an unknown type: {str(kind)[:40]}")

    async def aclose(self) -> None:
        """Write what is still to be written and let go of files and connections. Good to be used again after."""
        await self._running.aclose()

    def _with_lifespan(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._running.start()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self._running.aclose()
            await send(message)

        return watched

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running.start()
        body = _Body(receive)
        verdict = await self._running.gate.handle(_request(scope, body, self._own_root))
        if isinstance(verdict, Response):
            if scope["type"] == "websocket":
                await _refuse_handshake(scope, receive, send, verdict)
            else:
                await _send(send, verdict)
        else:
            await self._let_through(scope, body.replay, send, verdict)

    async def _let_through(self, scope: Scope, receive: Receive, send: Send, passed: Pass) -> None:
        if passed.context is None or passed.finish is None:
            await self.app(scope, receive, send)
            return
        scope["stepup"] = dict(passed.context)
        watch = _Watch(send, receive, passed.finish)
        try:
            await self.app(scope, watch.receive, watch.send)
        except Exception:
            watch.end("failed")
            raise
        except BaseException:
            watch.end("aborted")
            raise
        watch.end("completed" if scope["type"] == "websocket" else "aborted" if watch.gone else "failed")


class _Rooted:
    """The running service, for an app with a root path of its own: paths are read as that app reads them."""

    def __init__(self, running: Running, own_root: str) -> None:
        self._running = running
        self._own_root = own_root

    @property
    def gate(self) -> Gate:
        return self._running.gate

    def concerns(self, path: str, _root_path: str, raw_path: bytes | None) -> bool:
        return self._running.concerns(path, self._own_root, raw_path)

    def start(self) -> None:
        self._running.start()

    async def aclose(self) -> None:
        await self._running.aclose()


class _Watch:
    """Notes how the app answers, and says so once."""

    def __init__(self, send: Send, receive: Receive, finish: Finish) -> None:
        self._send = send
        self._receive = receive
        self._finish: Finish | None = finish
        self._begun = perf_counter()
        self._status: int | None = None
        self.gone = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] in ("http.disconnect", "websocket.disconnect"):
            self.gone = True
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
        elif kind == "websocket.accept":
            self._status = 101
        elif kind == "http.response.body" and not message.get("more_body", False):
            self.end("completed")
        await self._send(message)

    def end(self, how: Ending) -> None:
        finish, self._finish = self._finish, None
        if finish is not None:
            failed = how == "completed" and (self._status or 0) >= 500
            finish(self._status, "failed" if failed else how, perf_counter() - self._begun)


class _Body:
    """Reads the body for the gate without taking it from the app: what was received is given again, in one piece, so
    that a client who sends a byte at a time costs no more than the bytes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._held = bytearray()
        self._begun = False
        self._last: Message | None = None

    async def read(self, limit: int) -> bytes:
        while self._last is None:
            if len(self._held) > limit:
                raise BodyTooLarge(limit)
            self._begun = True
            message = await self._receive()
            self._held += message.get("body", b"")
            if message["type"] != "http.request" or not message.get("more_body", False):
                self._last = message
        if len(self._held) > limit:
            raise BodyTooLarge(limit)
        return bytes(self._held)

    async def replay(self) -> Message:
        if self._begun:
            self._begun = False
            whole = self._last is not None and self._last["type"] == "http.request"
            return {"type": "http.request", "body": bytes(self._held), "more_body": not whole}
        if self._last is not None and self._last["type"] != "http.request":
            return self._last
        return await self._receive()


def _request(scope: Scope, body: _Body, own_root: str) -> Request:
    client = scope.get("client")
    is_http = scope["type"] == "http"
    return Request(
        method=scope["method"] if is_http else "GET",
        path=scope["path"],
        root_path=own_root or scope.get("root_path", ""),
        raw_path=scope.get("raw_path"),
        query=scope.get("query_string", b""),
        headers=tuple(scope["headers"]),  # the specification has names in lower case; another spelling is not seen
        peer=client[0] if client else None,
        scheme=scope.get("scheme", "http"),
        kind="http" if is_http else "websocket",
        door="asgi",
        native=scope,
        **({"read_body": body.read} if is_http else {}),
    )


async def _send(send: Send, response: Response, prefix: str = "http") -> None:
    headers = [*response.headers, (b"content-length", str(len(response.body)).encode("ascii"))]
    await send({"type": f"{prefix}.response.start", "status": response.status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": response.body})


async def _refuse_handshake(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    await receive()
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _send(send, response, "websocket.http")
    else:
        await send({"type": "websocket.close", "code": CLOSE_CODE, "reason": "step-up required"})
