"""Processes that check pieces beside this one: plain children with a pipe each way, which end with it.

Not of ``multiprocessing``: its children run the caller's main module again, or share the locks of its threads.
"""

from __future__ import annotations

import pickle
import select
import subprocess
import sys
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Self

from .pieces import Piece, check_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .pieces import Task
    from .sources import Source

_CHILD = "import sys; sys.path[:] = {path!r}; from stepup_mw.trail.workers import serve; serve()"
_AHEAD = 3
"""Pieces that a child is asked for before it has answered, so that it never waits for the next."""

_OPEN = 32
"""Pieces, for each process, that may be done before one in front of them is."""


@dataclass(slots=True, eq=False)
class Slot:
    """A piece that somebody checks: ``worker`` is None once it is done."""

    source: Source
    task: Task
    worker: Worker | None = None
    piece: Piece | None = None


class Worker:
    """One child. It answers in the order it is asked."""

    def __init__(self) -> None:
        code = _CHILD.format(path=sys.path)
        self.asked: deque[Slot] = deque()
        self._child = subprocess.Popen(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", code],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(OSError):
                _open(pipe).close()
        self._child.kill()
        self._child.wait()

    def ask(self, slot: Slot) -> None:
        """Have a piece checked. A child that is gone says so at ``answer``."""
        slot.worker = self
        self.asked.append(slot)
        with suppress(OSError):
            _send(_open(self._child.stdin), slot.task)

    @property
    def ready(self) -> bool:
        """Whether ``answer`` has not to wait."""
        return bool(self.asked and select.select([_open(self._child.stdout)], [], [], 0)[0])

    def answer(self, otherwise: Callable[[Source, Task], Piece | None]) -> None:
        """Fill in the oldest piece asked for; ``otherwise`` does it where the child is gone."""
        slot = self.asked.popleft()
        try:
            slot.piece = _receive(_open(self._child.stdout))
        except (OSError, EOFError, pickle.UnpicklingError):
            slot.piece = otherwise(slot.source, slot.task)
        slot.worker = None


def check_side_by_side(
    tasks: Iterator[tuple[Source, Task]], processes: int, here: Callable[[Source, Task], Piece | None]
) -> Iterator[Slot]:
    """All pieces in order, each done by one of so many processes. This is one of them, and does it by ``here``; so the
    first are being done while the others start."""
    slots: deque[Slot] = deque()
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker()) for _ in range(processes - 1)]
        while True:
            for worker in workers:
                while worker.ready:
                    worker.answer(here)
                while len(worker.asked) < _AHEAD and (slot := _next(tasks, slots)):
                    worker.ask(slot)
            mine = _next(tasks, slots)
            if mine is not None:
                mine.piece = here(mine.source, mine.task)
            while slots and (slots[0].worker is None or mine is None or len(slots) > _OPEN * processes):
                while slots[0].worker is not None:
                    slots[0].worker.answer(here)
                yield slots.popleft()
            if mine is None:
                return


def _next(tasks: Iterator[tuple[Source, Task]], slots: deque[Slot]) -> Slot | None:
    for source, task in tasks:
        slots.append(Slot(source, task))
        return slots[-1]
    return None


def serve() -> None:
    """In the child: answer until nobody asks any more."""
    asked, answered = open(0, "rb", buffering=0), open(1, "wb", buffering=0)  # noqa: SIM115 - its own ends
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            _send(answered, check_piece(_receive(asked)))


def _send(pipe: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value)
    whole = memoryview(len(data).to_bytes(4) + data)
    while whole:
        whole = whole[pipe.write(whole) :]


def _receive(pipe: IO[bytes]) -> Any:
    """EOFError if the other end is gone."""
    return pickle.loads(_exactly(pipe, int.from_bytes(_exactly(pipe, 4))))  # noqa: S301 - written by our own process


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = pipe.read(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe
