"""The files of a trail as a reader finds them: one moment's view, opened without ever writing."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..chain import parse_opening
from ..errors import TrailUnavailable
from ..events import MAX_LINE
from .files import Layout, open_regular
from .locks import SharedLock
from .zst import SUFFIX, Frame, Unpacked, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from .pruned import Start

_BUFFER = 1 << 18


class _Window(io.RawIOBase):
    """The bytes ``[start, end)`` of a file, with a position of its own, however many read it."""

    def __init__(self, fd: int, start: int, end: int) -> None:
        self._fd = fd
        self._at = start
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: self._end - self._at]
        count = os.preadv(self._fd, [view], self._at) if view else 0
        self._at += count
        return count


@dataclass(frozen=True, slots=True)
class Source:
    """A run of lines: ``size`` bytes from byte ``offset`` of the file at ``path``, or, where it is compressed, of what
    its ``frames`` unpack to. ``name`` is what findings call it; ``fd``: open already, since the file may be renamed.
    ``broken``: why nothing in it can be read, if so."""

    path: Path
    size: int
    offset: int = 0
    fd: int | None = None
    member: str = ""
    frames: tuple[Frame, ...] | None = None
    broken: str = ""

    @property
    def name(self) -> Path:
        return self.path / self.member if self.member else self.path

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int]:
        """Of the whole file."""
        fd = open_regular(self.path, os.O_RDONLY) if self.fd is None else self.fd
        try:
            yield fd
        finally:
            if self.fd is None:
                os.close(fd)

    @contextlib.contextmanager
    def stored(self) -> Iterator[tuple[BinaryIO, int]]:
        """The bytes of a whole file of its own, as they are stored, and how many they are."""
        with self.current().descriptor() as fd:
            size = self.size if self.frames is None else os.fstat(fd).st_size
            yield io.BufferedReader(_Window(fd, self.offset if self.frames is None else 0, size), _BUFFER), size

    @contextlib.contextmanager
    def open(self, skip: int = 0) -> Iterator[BinaryIO]:
        """A stream of its own over these bytes, from byte ``skip`` on."""
        source = self.current()
        start, end = self.offset + skip, self.offset + self.size
        with source.descriptor() as fd:
            raw = _Window(fd, start, end) if source.frames is None else Unpacked(fd, source.frames, start, end)
            yield io.BufferedReader(raw, _BUFFER)

    def current(self) -> Source:
        """The same lines where they are now: a sealed segment may have been compressed since it was looked at."""
        if self.frames is not None or self.fd is not None or self.member or self.path.exists():
            return self
        packed = self.path.with_name(self.path.name + SUFFIX)
        return replace(self, path=packed, frames=segment(packed).frames) if packed.exists() else self

    def after(self, skip: int) -> Source:
        """The same without its first ``skip`` bytes."""
        return replace(self, offset=self.offset + skip, size=self.size - skip)


@dataclass(frozen=True, slots=True)
class View:
    """The segments, oldest first, the live file last if there is one, and the checkpoints. Only the first
    ``settled_notes`` bytes of those are surely about lines in this view. ``partial``: a copy that may begin and end
    anywhere; ``start``: what it says of the lines before it."""

    layout: Layout
    segments: tuple[Source, ...]
    live: Source | None
    notes: Source | None
    settled_notes: int
    partial: bool = False
    start: Start | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.segments if self.live is None else (*self.segments, self.live)

    def close(self) -> None:
        for source in (self.live, self.notes):
            if source is not None and source.fd is not None:
                os.close(source.fd)


def find_layout(path: Path) -> Layout:
    """The trail at ``path``, its live file or its folder. TrailUnavailable if there is none, or more than one."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        if not path.is_symlink() and Layout(path).sealed():
            return Layout(path)
        raise TrailUnavailable(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from None
    if not stat.S_ISDIR(mode):
        return Layout(path)
    named = path / "stepup.jsonl"
    files = sorted(path.glob("*.jsonl"))
    if os.path.lexists(named) or (not files and Layout(named).sealed()):
        return Layout(named)
    if len(files) != 1:
        raise TrailUnavailable(f"{path} holds {len(files)} files that could be an audit trail: name one")
    return Layout(files[0])


def take_view(layout: Layout) -> View:
    """All files of the trail at one moment. A writer is kept waiting for that moment only, not while they are read.

    OSError or TrailUnavailable if one of them cannot be opened.
    """
    try:
        settled = layout.notes.stat().st_size
    except FileNotFoundError:
        settled = 0
    with SharedLock(layout.lock):
        live = _source(layout.live)
        sealed = [item.path for item in layout.sealed()]
    return View(layout, tuple(segment(path) for path in sealed), live, _source(layout.notes), settled)


def segment(path: Path) -> Source:
    """A sealed segment, compressed or not. OSError or TrailUnavailable if it cannot be opened."""
    if path.suffix != SUFFIX:
        try:
            return Source(path, path.stat(follow_symlinks=False).st_size)
        except FileNotFoundError:
            path = path.with_name(path.name + SUFFIX)  # it has just been compressed
    fd = open_regular(path, os.O_RDONLY)
    try:
        return packed_source(path, fd, 0, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def packed_source(path: Path, fd: int, base: int, length: int, member: str = "") -> Source:
    """Compressed lines in ``length`` bytes from byte ``base`` of a file. What is none of ours has no lines."""
    try:
        frames = read_frames(fd, base, length)
    except TrailUnavailable as error:
        return Source(path, 0, member=member, frames=(), broken=str(error))
    return Source(path, sum(frame.size for frame in frames), member=member, frames=frames)


def lines_from(source: Source, start: int) -> Iterator[tuple[int, bytes]]:
    """The complete lines, without LF, from byte ``start`` on, each with its offset. What is longer than a line may be
    comes in pieces."""
    with source.open(start) as stream:
        while (raw := stream.readline(MAX_LINE + 1)).endswith(b"\n") or len(raw) > MAX_LINE:
            yield start, raw.removesuffix(b"\n")
            start += len(raw)


def last_line_of(path: Path) -> bytes | None:
    """The last line of a sealed segment, without its LF; None if it does not end in a whole line."""
    source = segment(path)
    begin = max(0, source.size - MAX_LINE - 1)
    with source.open(begin) as stream:
        data = stream.read()
    if not data.endswith(b"\n"):
        return None
    _, found, line = data[:-1].rpartition(b"\n")
    return line if found or begin == 0 else None


def _source(path: Path) -> Source | None:
    try:
        fd = open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    return Source(path, os.fstat(fd).st_size, fd=fd)


def skip_to(sources: tuple[Source, ...], seq: int) -> tuple[Source, ...] | None:
    """What is left from line ``seq`` on, by what the lines say of themselves; None if none says that it is it, and
    nothing is if the lines end just before."""
    for index in range(len(sources) - 1, -1, -1):
        with sources[index].open() as stream:
            first = parse_opening(stream.readline(MAX_LINE))
            if first is None or first.seq > seq:
                continue
            skip = _bytes_of(sources[index], seq - first.seq)
        rest = sources[index].after(skip)
        if rest.size == 0:
            return (rest, *sources[index + 1 :])
        with rest.open() as stream:
            found = parse_opening(stream.readline(MAX_LINE))
        return (rest, *sources[index + 1 :]) if found is not None and found.seq == seq else None
    return None


def _bytes_of(source: Source, lines: int) -> int:
    """How many bytes that many lines take; all there are if they are fewer."""
    done = 0
    with source.open() as stream:
        while lines:
            block = stream.read(_BUFFER)
            if not block:
                return done
            count = block.count(b"\n")
            if count >= lines:
                for _ in range(lines):
                    done += (at := block.index(b"\n") + 1)
                    block = block[at:]
                return done
            lines, done = lines - count, done + len(block)
    return done
