"""The lines of the local trail as anchors need them: how many there are, their leaf hashes, their times.

Reads what is there and checks nothing: that is the verifier's work.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..chain import leaf_hash, parse_opening
from ..encoding import parse_timestamp
from ..errors import AnchorError
from ..events import MAX_LINE
from ..trail.ending import last_line, tip_after
from ..trail.files import open_regular
from ..trail.marks import event_of, is_mark
from ..trail.sources import take_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trail.files import Layout
    from ..trail.sources import Source

_QUIET = ("checkpoint", "heartbeat", "sink_failed", "sink_recovered")
"""Lines that signing and anchoring bring about themselves: alone at the end, nothing waits for an anchor."""

_SCAN = 4096


def count_lines(layout: Layout) -> int:
    """How many lines the trail has, by the last whole one; 0 without a live file. OSError or TrailUnavailable if it
    cannot be read."""
    try:
        fd = open_regular(layout.live, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        line = last_line(fd, 0, os.fstat(fd).st_size)
    finally:
        os.close(fd)
    tip = tip_after(line) if line is not None else None
    return tip.seq if tip is not None else 0


def leaves_between(layout: Layout, start: int, stop: int) -> Iterator[bytes]:
    """The leaf hashes of the lines ``start`` to ``stop`` (not included). AnchorError if one is not there."""
    expected = start
    for line in _lines_from(layout, start):
        if expected == stop:
            return
        place = parse_opening(line)
        if place is None or place.seq != expected:
            break
        yield leaf_hash(line)
        expected += 1
    if expected < stop:
        raise AnchorError(f"line {expected} is not in the trail any more, so that nobody can be shown how it grew")


def waiting_since(layout: Layout, seq: int) -> float | None:
    """The time of the first line from ``seq`` on that is more than a word about checkpoints; None if there is none."""
    for number, line in enumerate(_lines_from(layout, seq)):
        if number == _SCAN or not any(is_mark(line, phase) for phase in _QUIET):
            return time_of(line)
    return None


def time_at(layout: Layout, seq: int) -> float | None:
    """The time of line ``seq``; None if it is not there, or says none."""
    line = next(_lines_from(layout, seq), None) if seq >= 0 else None
    place = parse_opening(line) if line is not None else None
    return time_of(line) if line is not None and place is not None and place.seq == seq else None


def time_of(line: bytes) -> float | None:
    """The time that a line says, in Unix seconds."""
    try:
        return parse_timestamp(event_of(line)["timestamp"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _lines_from(layout: Layout, seq: int) -> Iterator[bytes]:
    """The lines from ``seq`` on, without LF."""
    view = take_view(layout)
    try:
        for source in _holding(view.sources, seq):
            offset = _offset(source, seq)
            left = source.size - offset
            with source.open(offset) as stream:
                while left > 0:
                    raw = stream.readline(min(MAX_LINE + 1, left))
                    left -= len(raw)
                    if not raw.endswith(b"\n"):
                        return
                    place = parse_opening(raw)
                    if place is None or place.seq >= seq:
                        yield raw[:-1]
    finally:
        view.close()


def _holding(sources: tuple[Source, ...], seq: int) -> tuple[Source, ...]:
    """Those files that may hold line ``seq`` or a later one; only the first lines of files are read."""
    first = 0
    for number, source in enumerate(sources):
        with source.open() as stream:
            place = parse_opening(stream.readline(MAX_LINE))
        if place is not None and place.seq > seq:
            break
        first = number if place is not None else first
    return sources[first:]


def _offset(source: Source, seq: int) -> int:
    """An offset at or before line ``seq``, at the start of a line, found by halves."""
    low, high = 0, source.size
    while high - low > 4 * MAX_LINE:
        middle = (low + high) // 2
        with source.open(middle) as stream:
            skipped = len(stream.readline(MAX_LINE + 1))
            place = parse_opening(stream.readline(MAX_LINE + 1))
        if place is None or place.seq > seq:
            high = middle
        else:
            low = middle + skipped
    return low
