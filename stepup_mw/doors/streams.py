"""An answer that goes on, and must end with its proof. The gate says until when; here that is obeyed.

A stream of events (``text/event-stream``) is ended whole: its client comes again by itself. Anything else is cut short,
so that nobody takes what there is for all there was. An answer in one piece is never touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable

from anyio import CancelScope

from ..messages import Lease

EVENTS = "text/event-stream"


def is_events(content_types: Iterable[str]) -> bool:
    """Whether an answer of that type is a stream of events."""
    return any(text.partition(";")[0].strip().lower() == EVENTS for text in content_types)


class Leash:
    """Ends an app of an event loop once its lease is over. ``streaming``: what it sends is more than one piece."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._scope = CancelScope()
        self.streaming = False
        self.over = False

    async def hold(self, run: Callable[[], Awaitable[None]]) -> bool:
        """Run the app. True if it was ended here, before it was done."""
        keeper = asyncio.ensure_future(self._keep())
        try:
            with self._scope:
                await run()
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        return self._scope.cancelled_caught

    async def end(self) -> None:
        """From inside of the app: nothing more goes out, and the app is ended where it stands."""
        self._scope.cancel()
        await asyncio.sleep(0)

    async def _keep(self) -> None:
        while (left_s := await self._lease.left_s()) > 0:  # noqa: ASYNC110 - it is time that is waited for
            await asyncio.sleep(left_s)
        self.over = True
        if self.streaming:
            self._scope.cancel()


class Meter:
    """The same for pieces that are asked for one by one: asked before each. An app that says nothing for a while is
    ended at its next piece, which does not go out. ``ask``: of a thread without a loop. ``events``: the answer is a
    stream of those; the first piece of any other always goes out."""

    def __init__(self, lease: Lease, ask: Callable[[Lease], float], *, events: bool = False) -> None:
        self._lease = lease
        self._ask = ask
        self._again_at = 0.0
        self._begun = False
        self.events = events

    def is_over(self) -> bool:
        """Whether the next piece must not go out. On a stream of events the answer then ends, any other is cut."""
        now, first = time.monotonic(), not self._begun
        self._begun = True
        if now < self._again_at or (first and not self.events):
            return False
        return self._over(now, self._ask(self._lease))

    async def is_over_async(self) -> bool:
        """As ``is_over``, on a loop."""
        now, first = time.monotonic(), not self._begun
        self._begun = True
        if now < self._again_at or (first and not self.events):
            return False
        return self._over(now, await self._lease.left_s())

    def _over(self, now: float, left_s: float) -> bool:
        self._again_at = now + left_s
        return left_s <= 0
