"""The thread in which a process writes to one database file: one step at a time, first come first served.

A hand-over of its own, for a write costs the disk's sync and this: with the event loop's executor it took half as long
again as with a plain queue, and with a limiter for the turns before that three times as long. The thread starts with
the first step and ends with the file's connections; it belongs to one process, and a forked child has one of its own.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns:
    """``wait_s``: how long a step waits for the one before it; it is never begun after that."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._queue: SimpleQueue[_Turn[object] | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        weakref.finalize(self, self._queue.put, None)

    async def take(self, step: Callable[[], T]) -> T:
        """What ``step`` gives or raises, run in the thread. TimeoutError: it was not begun in time.

        A step that has begun runs to its end, also when its caller has gone; one that has not is left out then.
        """
        loop = asyncio.get_running_loop()
        turn: _Turn[T] = _Turn(step, loop)
        timer = loop.call_later(self._wait_s, turn.give_up)
        self._queue.put(turn)  # type: ignore[arg-type]
        if self._thread is None:
            self._start()
        try:
            return await turn.answer
        finally:
            timer.cancel()
            turn.claim()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=_work, args=(self._queue,), name="stepup-sqlite", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Once the steps that wait are done. The next step starts another thread."""
        with self._starting:
            if self._thread is not None:
                self._thread = None  # first, so that no step is ever behind the end of the last thread
                self._queue.put(None)


class _Turn(Generic[T]):
    def __init__(self, step: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[T] = loop.create_future()
        self._step = step
        self._loop = loop
        self._begun = threading.Lock()

    def claim(self) -> bool:
        """Whether to run it is the caller's to say: of the thread and whoever gives it up only one is told so."""
        return self._begun.acquire(blocking=False)

    def give_up(self) -> None:
        if self.claim() and not self.answer.done():
            self.answer.set_exception(TimeoutError())

    def run(self) -> None:
        if not self.claim():
            return
        try:
            answer = self._step()
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            self._tell(self.answer.set_exception, error)
        else:
            self._tell(self.answer.set_result, answer)

    def _tell(self, tell: Callable[..., None], what: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._told, tell, what)

    def _told(self, tell: Callable[..., None], what: object) -> None:
        if not self.answer.done():
            tell(what)


def _work(queue: SimpleQueue[_Turn[object] | None]) -> None:
    while (turn := queue.get()) is not None:
        turn.run()
        del turn  # or it, and the loop of its caller, would be held until the next one
