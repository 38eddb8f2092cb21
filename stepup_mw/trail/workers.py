"""Processes that check pieces beside this one: plain children with a pipe each way, which end with it.

Not of ``multiprocessing``: its children run the caller's main module again, or share the locks of its threads.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, Self

from .pieces import Piece, check_piece

if TYPE_CHECKING:
    from .pieces import Task

_CHILD = "import sys; sys.path[:] = {path!r}; from stepup_mw.trail.workers import serve; serve()"


class Worker:
    """One child. It answers in the order it is asked; a few small questions may be ahead of the answers."""

    def __init__(self) -> None:
        code = _CHILD.format(path=sys.path)
        self._child = subprocess.Popen(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for pipe in (self._child.stdin, self._child.stdout):
            with suppress(OSError):
                _open(pipe).close()
        self._child.kill()
        self._child.wait()

    def ask(self, task: Task) -> None:
        """Have a piece checked. A child that is gone says so at ``answer``."""
        with suppress(OSError):
            pickle.dump(task, _open(self._child.stdin))
            _open(self._child.stdin).flush()

    def answer(self) -> Piece | None:
        """What came of the oldest question not answered yet. OSError or EOFError if the child is gone."""
        try:
            found: Piece | None = pickle.load(_open(self._child.stdout))  # noqa: S301 - written by our own child
        except pickle.UnpicklingError as error:
            raise EOFError from error
        return found


def serve() -> None:
    """In the child: answer until nobody asks any more."""
    asked, answered = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        while True:
            task = pickle.load(asked)  # noqa: S301 - written by our own parent
            pickle.dump(check_piece(task), answered)
            answered.flush()


def _open(pipe: IO[Any] | None) -> IO[Any]:
    if pipe is None:
        raise OSError("no pipe")
    return pipe
