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
_BLOCK = 512 << 10
_HEAD = b'{"prev":"'
_WRITER = b',"writer":{'
_N = b'"n":'
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
    if task.size > _MOST:
        return None
    at, end, tip, runs, told = task.offset, task.offset + task.size, task.tip, list[Run](), Told()
    tails: dict[bytes, str] = {}
    while at < end:
        data = os.pread(fd, min(_BLOCK, end - at), at)
        data = data[: data.rfind(b"\n") + 1]
        if not data:
            return None
        lines = data.split(b"\n")
        lines.pop()
        leaves = [sha256(b"\0" + line).digest() for line in lines]
        heads = [line[:160] for line in lines]
        if max(map(len, lines)) >= MAX_LINE or not _is_chain(heads, leaves, tip):
            return None
        if not task.parse:
            _skim(lines, heads, tip.seq, told)
        elif not _parse(lines, tip.seq, told, tails, plain=data.isascii() and DEL not in data):
            return None
        runs += _runs(lines, leaves, tip.seq, task.cuts)
        tip = Tip(tip.seq + len(lines), leaves[-1])
        at += len(data)
    return Piece(tip, runs, _time(os.pread(fd, MAX_LINE, task.offset).partition(b"\n")[0]), told)


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


def _is_chain(heads: list[bytes], leaves: list[bytes], tip: Tip) -> bool:
    """Whether each line begins with its number and the hash before it.

    All lines at once: their beginnings are put in a row and compared with what they have to be."""
    count, digits = len(heads), len(str(tip.seq))
    if len(str(tip.seq + count - 1)) != digits:
        before = zip(heads, [tip.leaf, *leaves[:-1]], strict=True)
        return all(head.startswith(opening(seq, prev) + b'"') for seq, (head, prev) in enumerate(before, tip.seq))
    prevs = b"".join([head[9:53] for head in heads])
    # base64 of 32 bytes and a zero has the same 43 letters, and A where the padding is
    whole = b2a_base64(b"\0".join([tip.leaf, *leaves[:-1]]) + b"\0", newline=False)
    numbers = ('","seq":' + ',"","seq":'.join(map(str, range(tip.seq, tip.seq + count))) + ',"').encode()
    return (
        prevs[43::44] == b"=" * count
        and prevs.count(b"=") == count
        and prevs.replace(b"=", b"A") == whole
        and b"".join([head[53 : 63 + digits] for head in heads]) == numbers
        and b"".join([head[:9] for head in heads]) == _HEAD * count
    )


def _parse(lines: list[bytes], seq: int, told: Told, tails: dict[bytes, str], *, plain: bool) -> bool:
    """Read every line. What closes it, its writer, is the same in most: it is read once, and then known by its bytes
    in ``tails``, with the writer's ``life``."""
    loads, dumps, number = orjson.loads, orjson.dumps, told.counters.number
    try:
        for line in lines:
            at, end = line.rfind(_WRITER), line.rfind(_N) + 4
            life = tails.get(line[at:end]) if plain else None
            n = line[end:-2]
            if life is not None and n.isdigit() and line[-2:] == b"}}" and (n[:1] != b"0" or n == b"0") and len(n) < 16:
                body = line[:at] + b"}"
                value = loads(body)
                if type(value) is dict and dumps(value, option=_EXACT) == body and "writer" not in value:
                    number(life, int(n))
                    if value.get("event_type") == "audit":
                        told.mark(value, seq, life)
                    seq += 1
                    continue
            value = parse_line(line)
            told.line(value, seq)
            if 0 < at < end and line.isascii() and dumps(value, option=_EXACT) == line:
                tails[line[at:end]] = str(value["writer"].get("life", "")) if type(value.get("writer")) is dict else ""
            seq += 1
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, LineError):
        return False
    return True


def _skim(lines: list[bytes], heads: list[bytes], seq: int, told: Told) -> None:
    """What the trail's own lines tell, without a look into the others."""
    if _AUDIT not in b"".join([head[60:] for head in heads]):
        return
    for number, line in enumerate(lines, seq):
        if _AUDIT in line[60:160]:
            told.mark(dict(event_of(line)), number, "")


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
