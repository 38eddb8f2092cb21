"""The body of an ASGI request: read for the gate, and given to the app again as if nobody had; or read by the app, and
remembered for a gate that is asked later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ..errors import BodyTaken, BodyTooLarge
from ..messages import ReadBody

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


class Body:
    """Reads the body for the gate without taking it from the app: what was received is given again, in one piece, so
    that a client who sends a byte at a time costs no more than the bytes. ``keep``: how many bytes of what the app
    receives by itself are remembered; None for nothing."""

    def __init__(self, receive: Receive, keep: int | None = None) -> None:
        self._receive = receive
        self._keep = keep
        self._held = bytearray()
        self._given = 0
        self._begun = False
        self._last: Message | None = None
        self._lost: type[BodyTooLarge] | None = None
        self._loop = asyncio._get_running_loop() if keep is not None else None  # noqa: SLF001 - public, as its docs say

    def reader(self, *, waiting: bool) -> ReadBody:
        """Reads it while the app runs. ``waiting``: called from a thread that waits for the decision, which is made on
        another loop than the one that can receive."""
        if not waiting:
            return self.read
        if self._loop is None or asyncio._get_running_loop() is not None:  # noqa: SLF001 - as above
            return self._at_hand  # the loop is held up by who waits: nothing more can come
        return self._from_its_loop

    async def read(self, limit: int) -> bytes:
        while self._last is None and self._lost is None:
            if len(self._held) > limit:
                raise BodyTooLarge(limit)
            self._begun = True
            message = await self._receive()
            self._held += message.get("body", b"")
            if message["type"] != "http.request" or not message.get("more_body", False):
                self._last = message
        if self._lost is not None:
            raise self._lost(limit)
        if len(self._held) > limit:
            raise BodyTooLarge(limit)
        return bytes(self._held)

    async def _at_hand(self, limit: int) -> bytes:
        if self._last is None:
            raise BodyTaken(limit)
        return await self.read(limit)

    async def _from_its_loop(self, limit: int) -> bytes:
        if self._loop is None or self._last is not None or self._lost is not None:
            return await self.read(limit)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.read(limit), self._loop))

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
            piece, self._given = bytes(self._held[self._given :]), len(self._held)
            return {"type": "http.request", "body": piece, "more_body": not whole}
        if self._last is not None and self._last["type"] != "http.request":
            return self._last
        message = await self._receive()
        if self._last is None and self._lost is None:
            self._remember(message)
        return message

    def _remember(self, message: Message) -> None:
        """What the app has received by itself."""
        body = message.get("body", b"")
        if self._keep is None or len(self._held) + len(body) > self._keep:
            self._lost = BodyTaken if self._keep is None else BodyTooLarge
            self._held = bytearray()
            return
        self._held += body
        self._given = len(self._held)
        if message["type"] != "http.request" or not message.get("more_body", False):
            self._last = message


def given(body: bytes, rest: Receive) -> Receive:
    """A body that is there already, then what the server has to say."""
    left = [body]

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await rest()

    return receive


async def read_by_the_app(limit: int) -> bytes:
    """The body of a request that went to the app before anything was asked: it is the app's."""
    raise BodyTaken(limit)
