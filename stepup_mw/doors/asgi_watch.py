"""What an ASGI app sends, watched: how it ends is said once, a demand is answered in its place, and an answer that
outlives its proof is ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..demands import required_in
from ..errors import AskedTooLate
from ..messages import Response
from .asgi_input import Message, Receive
from .inside import Inside
from .streams import Leash, is_events

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

CLOSE_CODE = 4401
"""WebSocket close code of a refused handshake, where the server cannot send an HTTP answer, and of an expired proof."""


class Watch:
    """Notes how the app answers, and says so once; answers in its place where the app asks for a proof."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, inside: Inside) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._inside = inside
        self._status: int | None = None
        self._greeted = False
        self._gone = False
        self._events = False
        self.leash = Leash(inside.passed.lease) if inside.passed.lease is not None else None

    async def receive(self) -> Message:
        message = await self._receive()
        self._greeted = True
        if message["type"] in ("http.disconnect", "websocket.disconnect"):
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        kind, inside = message["type"], self._inside
        if inside.required is not None and not inside.answering:
            return  # the gate answers, whatever the app makes of it
        if self.leash is not None:
            await self._leashed(self.leash, message)
        if kind == "http.response.start":
            self._status = message["status"]
            inside.answering = True
        elif kind == "http.response.body":
            if not message.get("more_body", False):
                inside.end(self._status, "completed")
        elif kind == "websocket.accept":
            self._status = 101
        await self._send(message)

    async def _leashed(self, leash: Leash, message: Message) -> None:
        """Know a stream by what is sent; once its time is over, nothing of it goes out any more."""
        kind = message["type"]
        if kind == "http.response.start":
            types = (value.decode("latin-1") for name, value in message.get("headers", ()) if name == b"content-type")
            self._events = leash.streaming = is_events(types)
        elif kind in ("websocket.accept", "websocket.send") or message.get("more_body", False):
            leash.streaming = True
        elif kind in ("http.response.body", "websocket.close"):
            leash.streaming = False
        if leash.over and leash.streaming:
            await leash.end()

    async def cut(self) -> None:
        """The time of the answer is over: a client must come again, by a fresh proof."""
        if is_websocket(self._scope):
            if not self._gone:
                await close_socket(self._send, "the proof has expired")
        elif self._events:
            await self._send({"type": "http.response.body", "body": b""})
        self._inside.end(self._status, "aborted")

    async def done(self) -> None:
        """The app has returned; a demand that it has caught is answered all the same."""
        required = self._inside.required
        if required is not None and not self._inside.answering:
            await self._answer(required.response)
        else:
            whole = is_websocket(self._scope)
            self._inside.end(self._status, "completed" if whole else "aborted" if self._gone else "failed")

    async def failed(self, error: BaseException) -> None:
        """The app has raised: a demand is answered; all else is said, and raised again."""
        required = required_in(error)
        if required is not None and not self._inside.answering:
            await self._answer(required.response)
            return
        self._inside.end(self._status, "failed" if required or isinstance(error, Exception) else "aborted")
        if required is not None:
            raise AskedTooLate("a proof was asked for when the answer had begun") from error
        raise error

    async def _answer(self, response: Response) -> None:
        if not is_websocket(self._scope):
            await send_response(self._send, response)
        elif self._status is not None:
            await close_socket(self._send)
        else:
            if not self._greeted:
                await self._receive()
            await refuse_handshake(self._scope, self._send, response)
        self._inside.end(response.status, "completed")


def is_websocket(scope: Scope) -> bool:
    return bool(scope["type"] == "websocket")


async def send_response(send: Send, response: Response, prefix: str = "http") -> None:
    headers = [*response.headers, (b"content-length", str(len(response.body)).encode("ascii"))]
    await send({"type": f"{prefix}.response.start", "status": response.status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": response.body})


async def refuse_handshake(scope: Scope, send: Send, response: Response) -> None:
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await send_response(send, response, "websocket.http")
    else:
        await close_socket(send)


async def close_socket(send: Send, reason: str = "step-up required") -> None:
    await send({"type": "websocket.close", "code": CLOSE_CODE, "reason": reason})
