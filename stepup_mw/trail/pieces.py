"""Checks a piece of a trail, some megabytes of whole lines, in one go: fast where all is well, silent where it is not.

A piece that is not right in every way gives None; what is wrong with it, and where, is then looked for line by line
elsewhere. Pieces can be checked in any order and by several processes: each begins with what its first line says of its
place, and whoever puts the pieces together compares the seams.
"""

from __future__ import annotations

import os
from binascii import b2a_base64
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ..chain import Tip, opening, parse_line
from ..errors import LineError, TrailUnavailable
from ..events import DEL, MAX_LINE
from .files import identity, open_regular
from .marks import event_of
from .told import Told

SIZE = 4 << 20
"""Bytes of a piece, about."""

_MOST = SIZE + 2 * MAX_LINE
_HEAD = b'\0{"prev":"'
_AUDIT = b'"event_type":"audit"'
_EXACT = orjson.OPT_STRICT_INTEGER


class Task(NamedTuple):
    """The bytes ``[offset, offset + size)`` of the file ``path`` (``file``: its device and inode), which say that they
    begin at ``tip``. ``cuts``: numbers of lines at which a root will be asked for, ascending, some perhaps beyond the
    end; None if there is no need for roots at all. ``parse``: read every line, not only the trail's own."""

    path: str
    file: tuple[int, int]
    offset: int
    size: int
    tip: Tip
    cuts: tuple[int, ...] | None
    parse: bool


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
    data = _read(fd, task) if task.size <= _MOST else b""
    if not data.endswith(b"\n"):
        return None
    lines = (b"\0" + data[:-1].replace(b"\n", b"\n\0")).split(b"\n")
    if max(map(len, lines)) > MAX_LINE:
        return None
    leaves = [sha256(line).digest() for line in lines]
    if not _is_chain(lines, leaves, task.tip):
        return None
    seq, plain = task.tip.seq, data.isascii() and DEL not in data
    told = _parse(lines, seq, plain=plain) if task.parse else _skim(lines, seq)
    if told is None:
        return None
    tip = Tip(task.tip.seq + len(lines), leaves[-1])
    return Piece(tip, _runs(lines, leaves, task), _time(lines[0]), told)


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


def _read(fd: int, task: Task) -> bytes:
    data = os.pread(fd, task.size, task.offset)
    while data and len(data) < task.size:
        more = os.pread(fd, task.size - len(data), task.offset + len(data))
        data = data + more if more else b""
    return data


def _is_chain(lines: list[bytes], leaves: list[bytes], tip: Tip) -> bool:
    """Whether each line, here with the 0x00 of its leaf in front, begins with its number and the hash before it.

    All lines at once: their beginnings are put in a row and compared with what they have to be."""
    count, digits = len(lines), len(str(tip.seq))
    if len(str(tip.seq + count - 1)) != digits:
        before = [tip.leaf, *leaves]
        return all(
            line.startswith(b"\0" + opening(seq, prev) + b'"')
            for seq, (line, prev) in enumerate(zip(lines, before, strict=False), tip.seq)
        )
    prevs = b"".join([line[10:54] for line in lines])
    # base64 of 32 bytes and a zero has the same 43 letters, and A where the padding is
    whole = b2a_base64(b"\0".join([tip.leaf, *leaves[:-1]]) + b"\0", newline=False)
    numbers = ('","seq":' + ',"","seq":'.join(map(str, range(tip.seq, tip.seq + count))) + ',"').encode()
    return (
        prevs[43::44] == b"=" * count == b"=" * prevs.count(b"=")
        and prevs.replace(b"=", b"A") == whole
        and b"".join([line[54 : 64 + digits] for line in lines]) == numbers
        and b"".join([line[:10] for line in lines]) == _HEAD * count
    )


def _parse(lines: list[bytes], seq: int, *, plain: bool) -> Told | None:
    told, loads, dumps = Told(), orjson.loads, orjson.dumps
    tell = told.line
    try:
        for raw in lines:
            line = raw[1:]
            value = loads(line) if plain else None
            if type(value) is not dict or dumps(value, option=_EXACT) != line:
                value = parse_line(line)
            tell(value, seq)
            seq += 1
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, LineError):
        return None
    return told


def _skim(lines: list[bytes], seq: int) -> Told:
    """What the trail's own lines tell, without a look into the others."""
    told = Told()
    for number, line in enumerate(lines, seq):
        if _AUDIT in line[:160]:
            told.mark(dict(event_of(line[1:])), number)
    return told


def _runs(lines: list[bytes], leaves: list[bytes], task: Task) -> list[Run]:
    """The subtrees between the cuts, the last run up to the end."""
    start, end = task.tip.seq, task.tip.seq + len(lines)
    if task.cuts is None:
        return [Run(end, [], _time(lines[-1]))]
    sizes = [start, *(cut for cut in task.cuts if start < cut < end), end]
    return [
        Run(high, subtrees(low, leaves[low - start : high - start]), _time(lines[high - start - 1]))
        for low, high in pairwise(sizes)
    ]


def _time(line: bytes) -> str | None:
    time: Any = event_of(line[1:]).get("timestamp")
    return time if isinstance(time, str) else None
