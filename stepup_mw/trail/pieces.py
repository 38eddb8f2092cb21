"""Checks a piece of a trail, some megabytes of whole lines, in one go: fast where all is well, silent where it is not.

A piece that is not right in every way gives None; what is wrong with it, and where, is then looked for line by line
elsewhere. Pieces can be checked in any order and by several processes: each begins with what its first line says of its
place, and whoever puts the pieces together compares the seams.
"""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..chain import Tip
from ..errors import TrailUnavailable
from ..events import MAX_LINE
from .blocks import Room, hash_lines, is_chain
from .files import identity, open_regular
from .marks import event_of
from .parsing import Parser, find_marks
from .told import Told
from .zst import Frame, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 4 << 20
"""Bytes of a piece, about."""

_MOST = SIZE + 2 * MAX_LINE


class Task(NamedTuple):
    """The bytes ``[offset, offset + size)`` of the file ``path`` (``file``: its device and inode), or of what its
    ``frame`` unpacks to, which say that they begin at ``tip``. ``cuts``: numbers of lines at which a root will be asked
    for, ascending, some perhaps beyond the end; None if there is no need for roots at all. ``parse``: read every line,
    not only the trail's own."""

    path: str
    file: tuple[int, int]
    offset: int
    size: int
    tip: Tip
    cuts: tuple[int, ...] | None
    parse: bool
    frame: Frame | None = None


class Run(NamedTuple):
    """Lines up to a cut or to the end: ``subtrees`` as (level, root), and the time of the last line."""

    size: int
    subtrees: list[tuple[int, bytes]]
    time: str | None


class Piece(NamedTuple):
    """What was found in a piece that is right: the ``tip`` after it, its runs, what its lines tell."""

    tip: Tip
    runs: list[Run]
    first_time: str | None
    told: Told


def check_piece(task: Task) -> Piece | None:
    """``check_open_piece`` for a process that has not got the file open. None too if another file has that name now."""
    try:
        fd = open_regular(Path(task.path), os.O_RDONLY)
    except (OSError, TrailUnavailable):
        return None
    try:
        return check_open_piece(task, fd) if identity(os.fstat(fd)) == task.file else None
    except OSError:
        return None
    finally:
        os.close(fd)


def check_open_piece(task: Task, fd: int) -> Piece | None:
    """The piece, if every line of it is in its place and well-formed. OSError if it cannot be read."""
    fill = _filler(task, fd) if task.size <= _MOST else None
    if fill is None:
        return None
    check = _Check(task, Room(fill))
    while check.at < check.end:
        if not check.block():
            return None
    return Piece(check.tip, check.runs.end(check.tip.seq), check.runs.first_time, check.told)


class _Check:
    """Of one piece, block by block. Nothing of a block is kept when the next is read: its memory is used again while
    it is in the cache."""

    def __init__(self, task: Task, room: Room) -> None:
        self.at = task.offset
        self.end = task.offset + task.size
        self.tip = task.tip
        self.told = Told()
        self.runs = _Runs(task.cuts)
        self._room = room
        self._parser = Parser(self.told) if task.parse else None

    def block(self) -> bool:
        """Whether the next lines are in their place and well-formed."""
        lines, size = self._room.read(self.at, self.end)
        leaves, seq = hash_lines(lines), self.tip.seq
        if not lines or max(map(len, lines)) > MAX_LINE or not is_chain(lines, leaves, self.tip):
            return False
        if self._parser is None:
            find_marks(lines, seq, self.told)
        elif not self._parser.read(self._room.data, lines, seq):
            return False
        self.runs.add(lines, leaves, seq)
        self.tip = Tip(seq + len(lines), leaves[-1])
        self.at += size
        return True


def _filler(task: Task, fd: int) -> Callable[[memoryview, int], int] | None:
    """What reads lines from an offset on; None if the frame they are in is broken."""
    if task.frame is None:
        return lambda room, at: os.preadv(fd, [room], at)
    lines, start = unpack(fd, task.frame), task.frame.start
    return partial(_copy, lines, start) if lines is not None else None


def _copy(lines: bytes, start: int, room: memoryview, at: int) -> int:
    found = lines[at - start : at - start + len(room)]
    room[: len(found)] = found
    return len(found)


def subtrees(start: int, leaves: list[bytes]) -> list[tuple[int, bytes]]:
    """The largest perfect subtrees over leaves ``start`` and following, from left to right, as (level, root)."""
    left, right, level = [], [], 0
    while leaves:
        if start & 1:
            left.append((level, leaves[0]))
            leaves, start = leaves[1:], start + 1
        if len(leaves) & 1:
            right.append((level, leaves[-1]))
            leaves = leaves[:-1]
        leaves = [sha256(b"\1" + a + b).digest() for a, b in zip(leaves[::2], leaves[1::2], strict=True)]
        start, level = start >> 1, level + 1
    return left + right[::-1]


class _Runs:
    """Puts the lines of a piece together, between the cuts. ``first_time``: of the first line."""

    def __init__(self, cuts: tuple[int, ...] | None) -> None:
        self._cuts = cuts
        self._done: list[Run] = []
        self._subtrees: list[tuple[int, bytes]] = []
        self._lasts: list[bytes] = []
        self.first_time: str | None = None

    def add(self, lines: list[bytes], leaves: list[bytes], start: int) -> None:
        """The next lines, the first of them number ``start``."""
        end, cuts = start + len(lines), self._cuts or ()
        if not self._lasts and not self._done:
            self.first_time = _time(lines[0])
        for low, high in pairwise([start, *(cut for cut in cuts if start < cut < end), end]):
            if self._cuts is not None:
                self._subtrees += subtrees(low, leaves[low - start : high - start])
            self._lasts.append(lines[high - start - 1])
            if high in cuts:
                self.end(high)

    def end(self, size: int) -> list[Run]:
        """Close the run that the first ``size`` lines end with. Gives all of them."""
        time = next((found for line in reversed(self._lasts) if (found := _time(line))), None)
        self._done.append(Run(size, self._subtrees, time))
        self._subtrees, self._lasts = [], []
        return self._done


def _time(line: bytes) -> str | None:
    """The timestamp of a line."""
    time: Any = event_of(line).get("timestamp")
    return time if isinstance(time, str) else None
