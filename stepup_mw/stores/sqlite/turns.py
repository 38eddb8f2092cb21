"""The thread in which a process writes to one database file: what waits when it is free is one group, in order.

A hand-over of its own, for a write costs the disk's sync and this: with the event loop's executor it took half as long
again as with a plain queue, and with a limiter for the turns before that three times as long. The thread starts with
the first step and ends with the file's connections; it belongs to one process, and a forked child has one of its own.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from sqlite3 import Connection
from typing import TypeVar

from .groups import Group, Turn, Waiting

T = TypeVar("T")


class Turns:
    """``wait_s``: how long a step waits for those before it; it is never begun after that."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._waiting: Waiting = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        weakref.finalize(self, self._waiting.put, None)

    async def take(self, step: Callable[[Connection], T], write: Callable[[Group], None]) -> T:
        """What ``step`` gives or raises, run in the thread by ``write`` with the others of its group. TimeoutError: it
        was not begun in time.

        A step that has begun runs to its end, also when its caller has gone; one that has not is left out then.
        """
        loop = asyncio.get_running_loop()
        turn = Turn(step, write, loop, self._wait_s)
        timer = loop.call_later(self._wait_s, turn.give_up)
        self._waiting.put(turn)  # type: ignore[arg-type]
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
                self._thread = threading.Thread(target=_work, args=(self._waiting,), name="stepup-sqlite", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Once the steps that wait are done. The next step starts another thread."""
        with self._starting:
            if self._thread is not None:
                self._thread = None  # first, so that no step is ever behind the end of the last thread
                self._waiting.put(None)


def _work(waiting: Waiting) -> None:
    while (turn := waiting.get()) is not None:
        if turn.claim() and _run(Group(turn, waiting)):
            return
        del turn  # or it, and the loop of its caller, would be held until the next one


def _run(group: Group) -> bool:
    """Whether the thread is to end after it."""
    group.run(group.turns[0].write)
    group.tell()
    return group.over
