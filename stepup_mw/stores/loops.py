"""Something open for each running event loop of this process: connections belong to the loop that made them.

What was opened ends with its loop: asyncio closes every async generator that is still open then. After a fork the
child begins with nothing; what it inherited is the parent's, and to close or collect it could end the parent's
sessions with the server.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from itertools import takewhile
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Deadlines:
    """``with deadlines.begin():`` as ``asyncio.timeout(seconds)``, at a tenth of its cost: it is on the way of every
    step. All of one event loop are given the same time, so that who begins first is due first, and one timer does for
    them all; to make and to cancel one for each step cost as much as to send it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, before: Callable[[], None] | None = None) -> Deadline:
        """``before``: to be done when the time is up, before what waits is cancelled."""
        return Deadline(self, before)

    def add(self, deadline: Deadline) -> None:
        loop = asyncio.get_running_loop()
        deadline.due = loop.time() + self._seconds
        self._running[deadline] = None
        if self._timer is None:
            self._timer = loop.call_at(deadline.due, self._ring, loop)

    def drop(self, deadline: Deadline) -> None:
        self._running.pop(deadline, None)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what is due, and wait for the next one."""
        now = loop.time()
        for deadline in list(takewhile(lambda each: each.due <= now, self._running)):
            self.drop(deadline)
            deadline.fire()
        first = next(iter(self._running), None)
        self._timer = loop.call_at(first.due, self._ring, loop) if first is not None else None


class Deadline:
    """One of them."""

    __slots__ = ("_all", "_asked", "_before", "_fired", "_task", "due")

    def __init__(self, every: Deadlines, before: Callable[[], None] | None) -> None:
        self._all = every
        self._before = before
        self._fired = False
        self.due = 0.0

    def __enter__(self) -> None:
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._asked = self._task.cancelling()
        self._all.add(self)

    def fire(self) -> None:
        self._fired = True
        self._task.cancel()
        if self._before is not None:
            self._before()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._all.drop(self)
        if self._fired and self._task.uncancel() <= self._asked and kind is asyncio.CancelledError:
            raise TimeoutError from None


class _Live(Generic[T]):
    """What is open in one loop, and the generator that waits for its end."""

    def __init__(self, held: T) -> None:
        self.held = held
        self.keeper: AsyncGenerator[None, None]


class _Process(Generic[T]):
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.lives: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Live[T]] = weakref.WeakKeyDictionary()


_inherited: list[object] = []


class PerLoop(Generic[T]):
    """``make`` opens without waiting; ``close`` is given ``timeout_s`` and may fail."""

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[None]], *, timeout_s: float) -> None:
        self._make = make
        self._close = close
        self._timeout_s = timeout_s
        self._process: _Process[T] = _Process()

    async def get(self) -> T:
        """What is open in the running loop."""
        process = self._process
        if process.pid != os.getpid():
            process = self._renew(process)
        loop = asyncio.get_running_loop()
        live = process.lives.get(loop)
        return live.held if live is not None else await self._begin(process, loop)

    def _renew(self, inherited: _Process[T]) -> _Process[T]:
        _inherited.append(inherited)
        self._process = _Process()
        return self._process

    async def _begin(self, process: _Process[T], loop: asyncio.AbstractEventLoop) -> T:
        live = _Live(self._make())
        live.keeper = self._keep(process, loop, live)
        with process.lock:
            for other in [other for other in process.lives if other.is_closed()]:
                del process.lives[other]
            process.lives[loop] = live
        await anext(live.keeper)
        return live.held

    async def _keep(
        self, process: _Process[T], loop: asyncio.AbstractEventLoop, live: _Live[T]
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with process.lock:
                if process.lives.get(loop) is live:
                    del process.lives[loop]
            with suppress(Exception):  # the server may be gone, and so may be the tasks of the loop
                async with asyncio.timeout(self._timeout_s):
                    await self._close(live.held)

    async def aclose(self) -> None:
        """Close what is open in every loop of this process, each in its own loop. ``get`` opens anew."""
        process = self._process
        if process.pid != os.getpid():
            return
        here = asyncio.get_running_loop()
        with process.lock:
            lives = list(process.lives.items())
        for loop, live in lives:
            if loop is here:
                await live.keeper.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_aclose(live.keeper), loop)
                with suppress(TimeoutError, asyncio.CancelledError, RuntimeError):
                    async with asyncio.timeout(2 * self._timeout_s):
                        await asyncio.wrap_future(closing)


async def _aclose(keeper: AsyncGenerator[None, None]) -> None:
    await keeper.aclose()
