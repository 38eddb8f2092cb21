"""How a file of lines ends: the last whole line, and what a crash left after it.

A kill or a power loss can leave an unfinished line, or garbage, after the last line that was acknowledged, and
nothing else. So bytes that are no line at the end are torn; a well-formed line that does not fit its place, or one
after garbage, was never left by a crash, and is not repaired here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..chain import Tip, leaf_hash, opening, parse_line, parse_opening
from ..errors import LineError, TrailUnavailable
from ..events import MAX_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

WINDOW = 4 * 1024 * 1024
"""Bytes at the end of a file that are looked at when it is opened: far more than is ever written before a sync."""

_BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ending:
    """``end`` is the offset after the last good line; ``tip`` is None if there is none in what was looked at."""

    end: int
    tip: Tip | None


def read_ending(fd: int, size: int) -> Ending:
    """How the file ends. TrailUnavailable if it was changed by more than a crash."""
    start = 0
    if size > WINDOW:
        start = size - WINDOW + len(os.pread(fd, MAX_LINE, size - WINDOW).partition(b"\n")[0]) + 1
    found = scan(fd, start, size, None)
    return scan(fd, 0, size, None) if found.tip is None and start else found


def scan(fd: int, start: int, size: int, tip: Tip | None) -> Ending:
    """Follow the chain from ``start``, where the next line has to fit ``tip`` (None: any line may begin)."""
    end, torn = start, False
    for offset, line in lines_of(fd, start, size):
        place = parse_opening(line)
        if place is None or not _is_line(line):
            torn = True
            continue
        if torn or (tip is not None and place != tip):
            why = "a good line after broken ones" if torn else "a line that does not follow the one before"
            raise TrailUnavailable(f"the audit trail was changed: {why} at byte {offset} (seq {place.seq})")
        tip = Tip(place.seq + 1, leaf_hash(line))
        end = offset + len(line) + 1
    return Ending(end, tip)


def lines_of(fd: int, start: int, size: int) -> Iterator[tuple[int, bytes]]:
    """The complete lines, without LF, of ``fd[start:size]`` with their offsets. What is longer than a line may be
    comes in pieces, and so never makes a good line."""
    rest = b""
    while start < size:
        block = os.pread(fd, min(_BLOCK, size - start), start)
        if not block:
            return
        offset = start - len(rest)
        start += len(block)
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield offset, line
            offset += len(line) + 1
        if len(rest) > MAX_LINE:
            yield offset, rest
            rest = b""


def last_line(fd: int, start: int, size: int) -> bytes | None:
    """The last line of ``fd[start:size]`` without its LF; None if that does not end in one whole line."""
    begin = max(start, size - MAX_LINE - 1)
    data = os.pread(fd, size - begin, begin)
    if not data.endswith(b"\n"):
        return None
    _, found, line = data[:-1].rpartition(b"\n")
    return line if found or begin == start else None


def last_end(fd: int) -> int:
    """The offset after the last whole line of the file."""
    size = os.fstat(fd).st_size
    begin = max(0, size - MAX_LINE)
    return begin + os.pread(fd, size - begin, begin).rfind(b"\n") + 1


def first_line(fd: int) -> bytes:
    """The first line, without its LF, or as much of it as there is."""
    return os.pread(fd, MAX_LINE, 0).partition(b"\n")[0]


def continues(fd: int, offset: int, tip: Tip) -> bool:
    """Whether the line at ``offset`` is the one that follows ``tip``."""
    begin = opening(tip.seq, tip.leaf)
    return os.pread(fd, len(begin), offset) == begin


def tip_after(line: bytes) -> Tip | None:
    """The tip after a line, by what the line says of its place; None if it is no line."""
    place = parse_opening(line)
    return Tip(place.seq + 1, leaf_hash(line)) if place is not None and line.endswith(b"}") else None


def _is_line(line: bytes) -> bool:
    try:
        parse_line(line)
    except LineError:
        return False
    return True


def good_line_follows(stream: BinaryIO, left: int) -> bool:
    """Whether a well-formed line stands in the next ``left`` bytes."""
    while left > 0:
        raw = stream.readline(min(MAX_LINE + 1, left))
        if not raw:
            return False
        left -= len(raw)
        if raw.endswith(b"\n") and parse_opening(raw) is not None and _is_line(raw[:-1]):
            return True
    return False
