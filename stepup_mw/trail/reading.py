"""Cuts a trail into pieces and has them checked, here or by other processes, and gives them back in order.

Keeps a few pieces in memory at a time, whatever the size of the trail.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from ..chain import Tip, parse_opening
from ..errors import NoteError
from ..events import MAX_LINE
from .files import identity
from .notes import read_notes
from .pieces import SIZE, Piece, Task, check_open_piece, check_piece
from .workers import check_side_by_side
from .zst import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .sources import Source, View
    from .zst import Frame

PARALLEL_FROM = 32 << 20
"""Bytes below which other processes are not worth their start."""

_LEAST_LINE = 64
_HEAD = 128
_NOWHERE = Tip(-1, b"")


class Checked(NamedTuple):
    """A piece of a file; ``piece`` is None if it has to be looked into."""

    source: Source
    task: Task
    piece: Piece | None


class Cuts:
    """The numbers of lines at which roots will be asked for: of the checkpoints, and ``more``; each given out while it
    can still lie ahead."""

    def __init__(self, view: View, more: list[int]) -> None:
        self._more = deque(more)
        self._stack = contextlib.ExitStack()
        self._sizes: Iterator[int] = iter(())
        if view.notes is not None:
            self._sizes = _sizes(view.notes, self._stack)
        self._ahead: deque[int] = deque()
        self._next = next(self._sizes, None)

    def between(self, start: int, end: int) -> tuple[int, ...]:
        """Those above ``start`` and up to ``end``; ``start`` only ever grows."""
        while self._next is not None and self._next <= end:
            self._ahead.append(self._next)
            self._next = next(self._sizes, None)
        while self._ahead and self._ahead[0] <= start:
            self._ahead.popleft()
        while self._more and self._more[0] <= start:
            self._more.popleft()
        return tuple(sorted({*self._ahead, *(size for size in self._more if size <= end)}))

    def close(self) -> None:
        self._stack.close()


def read_pieces(sources: tuple[Source, ...], cuts: Cuts | None, *, parse: bool, processes: int) -> Iterator[Checked]:
    """All pieces in order. ``cuts`` None: nobody asks for roots."""
    tasks = _tasks(sources, cuts, parse=parse)
    if processes > 1 and sum(source.size for source in sources) >= PARALLEL_FROM:
        for slot in check_side_by_side(tasks, processes, _check_here):
            yield Checked(slot.source, slot.task, slot.piece)
    else:
        for source, task in tasks:
            yield Checked(source, task, _check_here(source, task))


def _check_here(source: Source, task: Task) -> Piece | None:
    if source.fd is None:
        return check_piece(task)
    try:
        return check_open_piece(task, source.fd)
    except OSError:
        return None


def _tasks(sources: tuple[Source, ...], cuts: Cuts | None, *, parse: bool) -> Iterator[tuple[Source, Task]]:
    for source in (found.current() for found in sources):
        with source.descriptor() as fd:
            file = identity(os.fstat(fd))
            for at, size, frame in _stretches(source, fd):
                tip = parse_opening(_head(fd, at, frame)) or _NOWHERE
                wanted = None if cuts is None else cuts.between(max(0, tip.seq), tip.seq + size // _LEAST_LINE + 1)
                yield source, Task(str(source.path), file, at, size, tip, wanted, parse, frame)


def _stretches(source: Source, fd: int) -> Iterator[tuple[int, int, Frame | None]]:
    """Where each piece begins, how long it is, and the frame it is in."""
    at, end = source.offset, source.offset + source.size
    for frame in source.frames or ():
        start, stop = max(frame.start, at), min(frame.start + frame.size, end)
        if start < stop:
            yield start, stop - start, frame
    while at < end and source.frames is None:
        size = _whole_lines(fd, at, end)
        yield at, size, None
        at += size


def _head(fd: int, at: int, frame: Frame | None) -> bytes:
    if frame is None:
        return os.pread(fd, _HEAD, at)
    skip = at - frame.start
    return (unpack(fd, frame, skip + _HEAD) or b"")[skip:]


def _whole_lines(fd: int, at: int, end: int) -> int:
    """Bytes of the next piece, which ends with a line if one ends where it should."""
    if end - at <= SIZE:
        return end - at
    found = os.pread(fd, min(MAX_LINE + 1, end - at - SIZE), at + SIZE).find(b"\n")
    return SIZE + found + 1 if found >= 0 else end - at


def _sizes(notes: Source, stack: contextlib.ExitStack) -> Iterator[int]:
    stream = stack.enter_context(notes.open())
    for found in read_notes(stream, notes.size):
        try:
            yield found.parse()[1].size
        except NoteError:
            return
