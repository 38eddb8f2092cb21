"""Steps that wait for one thread, and those of them that it takes up together.

The thread notes how each one ended, and tells who waits when all of them are on stable storage.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from sqlite3 import Connection
from typing import Generic, TypeVar

T = TypeVar("T")

MOST = 64
"""Steps of one group."""


class Turn(Generic[T]):
    """One step and who waits for it, ``wait_s`` seconds until it is begun. ``write`` is what runs its group."""

    __slots__ = ("_begun", "_error", "_result", "_step", "answer", "due", "loop", "write")

    def __init__(
        self,
        step: Callable[[Connection], T],
        write: Callable[[Group], None],
        loop: asyncio.AbstractEventLoop,
        wait_s: float,
    ) -> None:
        self.answer: asyncio.Future[T] = loop.create_future()
        self.loop = loop
        self.due = time.monotonic() + wait_s
        self.write = write
        self._step = step
        self._begun = threading.Lock()
        self._error: BaseException | None = None
        self._result: T

    def claim(self) -> bool:
        """Whether to run it is the caller's to say: of the thread and whoever gives it up only one is told so."""
        return self._begun.acquire(blocking=False)

    def give_up(self) -> None:
        if self.claim() and not self.answer.done():
            self.answer.set_exception(TimeoutError())

    def run(self, db: Connection) -> None:
        """Raises what the step raises. To be run again where it was taken back."""
        self._result = self._step(db)
        self._error = None

    def fail(self, error: BaseException) -> None:
        """That is its answer. A future takes no StopIteration."""
        self._error = RuntimeError("a step raised StopIteration") if isinstance(error, StopIteration) else error

    def tell(self) -> None:
        """In the loop of who waits."""
        if self.answer.done():
            return
        if self._error is None:
            self.answer.set_result(self._result)
        else:
            self.answer.set_exception(self._error)


Waiting = SimpleQueue[Turn[object] | None]
"""In the order in which they came. None: the end of one thread."""


class Group:
    """Steps that are begun, in order; without ``waiting`` no other joins. ``over``: the end of the thread was met."""

    __slots__ = ("_waiting", "over", "turns")

    def __init__(self, first: Turn[object], waiting: Waiting | None = None) -> None:
        self.turns = [first]
        self.over = waiting is None
        self._waiting = waiting

    def another(self) -> Turn[object] | None:
        """The next of those that wait; it is begun. None: none does, or there are enough."""
        while self._waiting is not None and not self.over and len(self.turns) < MOST:
            try:
                turn = self._waiting.get_nowait()
            except Empty:
                return None
            if turn is None:
                self.over = True
            elif turn.claim():
                self.turns.append(turn)
                return turn
        return None

    def run(self, write: Callable[[Group], None]) -> None:
        """What ``write`` raises is the answer to all of them; else each has its own."""
        try:
            write(self)
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        for turn in self.turns:
            turn.fail(error)

    def tell(self) -> None:
        """One wake-up for each event loop, whatever the number of its steps."""
        loops: dict[asyncio.AbstractEventLoop, list[Turn[object]]] = {}
        for turn in self.turns:
            loops.setdefault(turn.loop, []).append(turn)
        for loop, turns in loops.items():
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(_tell, turns)


def _tell(turns: Iterable[Turn[object]]) -> None:
    for turn in turns:
        turn.tell()
