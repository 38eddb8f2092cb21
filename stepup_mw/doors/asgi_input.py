"""The body of an ASGI request: read for the gate, and given to the app again as if nobody had."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..errors import BodyTooLarge

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Body:
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

    async def replay_rest(self) -> Message:
        """What comes after the body, whatever the body was."""
        while True:
            message = await self.replay()
            if message["type"] != "http.request":
                return message

    async def replay(self) -> Message:
        if self._begun:
            self._begun = False
            whole = self._last is not None and self._last["type"] == "http.request"
            return {"type": "http.request", "body": bytes(self._held), "more_body": not whole}
        if self._last is not None and self._last["type"] != "http.request":
            return self._last
        return await self._receive()


def given(body: bytes, rest: Receive) -> Receive:
    """A body that is there already, then what the server has to say."""
    left = [body]

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await rest()

    return receive


async def read_by_the_app(limit: int) -> bytes:
    """The body of a request that went to the app before anything was asked: it is the app's."""
    raise BodyTooLarge(limit)
