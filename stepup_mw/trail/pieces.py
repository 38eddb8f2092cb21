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
from .blocks import hash_lines, is_chain, split_lines
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
_BLOCK = 256 << 10


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
    if task.size > _MOST:
        return None
    lines_at = _reader(task, fd)
    if lines_at is None:
        return None
    at, end, tip, runs, told = task.offset, task.offset + task.size, task.tip, list[Run](), Told()
    parser = Parser(told) if task.parse else None
    while at < end:
        data = lines_at(min(_BLOCK, end - at), at)
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            return None
        lines = split_lines(data)
        leaves = hash_lines(lines)
        if max(map(len, lines)) > MAX_LINE or not is_chain(lines, leaves, tip):
            return None
        if parser is None:
            find_marks(lines, tip.seq, told)
        elif not parser.read(data, lines, tip.seq):
            return None
        runs += _runs(lines, leaves, tip.seq, task.cuts)
        tip = Tip(tip.seq + len(lines), leaves[-1])
        at += len(data)
    return Piece(tip, runs, _time(lines_at(MAX_LINE, task.offset).partition(b"\n")[0]), told)


def _reader(task: Task, fd: int) -> Callable[[int, int], bytes] | None:
    """What reads so many bytes of lines from an offset on; None if the frame they are in is broken."""
    if task.frame is None:
        return partial(os.pread, fd)
    lines, start = unpack(fd, task.frame), task.frame.start
    return (lambda count, at: lines[at - start : at - start + count]) if lines is not None else None


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


def _runs(lines: list[bytes], leaves: list[bytes], start: int, cuts: tuple[int, ...] | None) -> list[Run]:
    """The subtrees between the cuts, the last run up to the end."""
    end = start + len(lines)
    if cuts is None:
        return [Run(end, [], _time(lines[-1]))]
    sizes = [start, *(cut for cut in cuts if start < cut < end), end]
    return [
        Run(high, subtrees(low, leaves[low - start : high - start]), _time(lines[high - start - 1]))
        for low, high in pairwise(sizes)
    ]


def _time(line: bytes) -> str | None:
    """The timestamp of a line."""
    time: Any = event_of(line).get("timestamp")
    return time if isinstance(time, str) else None
