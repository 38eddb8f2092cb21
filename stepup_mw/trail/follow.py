"""Reads the lines of a trail for people and tools: what is there, and what is added, over rotations and replacements.

Checks nothing: ``verify`` does. Broken lines come as they are, without an event; an unfinished last line does not
come until it is finished.
"""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chain import parse_opening
from ..encoding import parse_timestamp
from ..errors import TrailUnavailable
from ..events import MAX_LINE
from .ending import first_line, last_end, lines_of
from .files import Layout, identity, open_regular
from .marks import event_of
from .sources import find_layout, lines_from, segment
from .zst import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line without its LF. ``event`` is empty, and ``seq`` None, where it is no audit line."""

    raw: bytes
    seq: int | None
    event: Mapping[str, Any]


def read_lines(path: str | os.PathLike[str], *, since: float | None = None, last: int | None = None) -> Iterator[Line]:
    """The lines of the trail at ``path``, its live file or its folder, oldest first. ``since``: not those before that
    Unix time; ``last``: at most that many, the latest. TrailUnavailable if there is no trail."""
    layout = find_layout(Path(path))
    paths = [item.path for item in layout.sealed()] + [layout.live]
    if last is None:
        for file in paths[_first_file(paths, since) :]:
            yield from _later(_whole(file), since)
        return
    found: deque[Line] = deque()
    for file in reversed(paths):
        part = deque(_later(_end_of(file, last - len(found)), since), maxlen=last - len(found))
        found.extendleft(reversed(part))
        if len(found) >= last:
            break
    yield from found


def follow(
    path: str | os.PathLike[str],
    *,
    last: int = 10,
    poll_s: float = 0.25,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Line]:
    """The ``last`` lines and then each line as it is added, for ever, or until ``stop`` says so at a poll.

    Goes on in the file that follows when the live file is rotated, replaced, or cut short, and says no line twice.
    """
    layout = find_layout(Path(path))
    reader = _Reader(layout)
    seen = _Seen(next(read_lines(path), None))
    for line in read_lines(path, last=last):
        seen.is_new(line)
        yield line
    while True:
        yield from filter(seen.is_new, reader.new_lines())
        if stop():
            reader.close()
            return
        time.sleep(poll_s)


class _Seen:
    """How far the trail has been shown. A different line 0 is another trail, which is shown from its start."""

    def __init__(self, first: Line | None) -> None:
        self._first = first.raw if first is not None else b""
        self._seq = -1

    def is_new(self, line: Line) -> bool:
        if line.seq is None:
            return True
        if line.seq == 0 and line.raw != self._first:
            self._first, self._seq = line.raw, -1
        if line.seq <= self._seq:
            return False
        self._seq = line.seq
        return True


class _Reader:
    """Reads on from where it was, at first the end of the live file, file after file."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._fd: int | None = None
        self._packed: Path | None = None
        self._seq = -1
        self._offset = 0
        self._open(layout.live, at_end=True)

    def new_lines(self) -> Iterator[Line]:
        """What was added since the last call."""
        while True:
            moved = self._moved()
            yield from self._rest()
            if not moved or not self._next():
                return

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _rest(self) -> Iterator[Line]:
        if self._packed is not None:
            path, self._packed = self._packed, None
            yield from _whole(path)
        if self._fd is None:
            return
        size = os.fstat(self._fd).st_size
        if size < self._offset:
            self._offset = 0
        for offset, raw in lines_of(self._fd, self._offset, size):
            self._offset = offset + len(raw) + 1
            yield _line(raw)

    def _moved(self) -> bool:
        """Whether the live file's name now stands for another file."""
        if self._fd is None:
            return True
        try:
            return identity(self._layout.live.stat(follow_symlinks=False)) != identity(os.fstat(self._fd))
        except FileNotFoundError:
            return True

    def _next(self) -> bool:
        """Open the file that follows the one just read: the next segment, or the live file."""
        if self._fd is not None:
            place = parse_opening(first_line(self._fd))
            self._seq = place.seq if place is not None else self._seq
        for sealed in self._layout.sealed():
            if sealed.first_seq > self._seq >= 0:
                self._seq = sealed.first_seq
                if sealed.path.suffix == SUFFIX:
                    self.close()
                    self._packed = sealed.path
                    return True
                if self._open(sealed.path):
                    return True
        return self._open(self._layout.live)

    def _open(self, path: Path, *, at_end: bool = False) -> bool:
        try:
            fd = open_regular(path, os.O_RDONLY)
        except (OSError, TrailUnavailable):
            return False
        self.close()
        self._fd, self._offset = fd, last_end(fd) if at_end else 0
        return True


def _whole(path: Path) -> Iterator[Line]:
    yield from _from(path, lambda size: 0)  # noqa: ARG005 - the same shape as the other


def _end_of(path: Path, count: int) -> Iterator[Line]:
    """At least the last ``count`` lines of a file, if it has so many."""
    yield from _from(path, lambda size: max(0, size - count * MAX_LINE))


def _from(path: Path, where: Callable[[int], int]) -> Iterator[Line]:
    try:
        source = segment(path)
        start = where(source.size)
        lines = lines_from(source, start)
        if start:
            next(lines, None)
        for _, raw in lines:
            yield _line(raw)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TrailUnavailable(f"{path} cannot be read: {error.strerror}") from None


def _line(raw: bytes) -> Line:
    place = parse_opening(raw)
    return Line(raw=raw, seq=None if place is None else place.seq, event=event_of(raw) if place is not None else {})


def _later(lines: Iterator[Line], since: float | None) -> Iterator[Line]:
    return lines if since is None else (line for line in lines if _time(line.event) >= since)


def _first_file(paths: list[Path], since: float | None) -> int:
    """The first file that can hold a line of ``since`` or later: the one before the first that begins later."""
    if since is None:
        return 0
    for index, path in enumerate(paths):
        if _begins(path) >= since:
            return max(0, index - 1)
    return len(paths) - 1


def _begins(path: Path) -> float:
    try:
        with segment(path).open() as stream:
            return _time(event_of(stream.readline(MAX_LINE)))
    except (OSError, TrailUnavailable):
        return float("inf")


def _time(event: Mapping[str, Any]) -> float:
    """The time of an event; of the far past where it says none."""
    try:
        return parse_timestamp(str(event.get("timestamp")))
    except (ValueError, OverflowError):
        return float("-inf")
