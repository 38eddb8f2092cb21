"""The files of a trail as a reader finds them: one moment's view, opened without ever writing."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import TrailUnavailable
from .files import Layout, open_regular
from .locks import SharedLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Source:
    """One file, of which ``size`` bytes count. ``stream``: open already, since it may be renamed."""

    path: Path
    size: int
    stream: BinaryIO | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        stream = self.stream or os.fdopen(open_regular(self.path, os.O_RDONLY), "rb", buffering=1 << 20)
        with stream:
            yield stream


@dataclass(frozen=True, slots=True)
class View:
    """The segments, oldest first, the live file last if there is one, and the checkpoints. Only the first
    ``settled_notes`` bytes of those are surely about lines in this view."""

    layout: Layout
    segments: tuple[Source, ...]
    live: Source | None
    notes: Source | None
    settled_notes: int

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.segments if self.live is None else (*self.segments, self.live)

    def close(self) -> None:
        for source in (self.live, self.notes):
            if source is not None and source.stream is not None:
                source.stream.close()


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
    segments = tuple(Source(path, path.stat(follow_symlinks=False).st_size) for path in sealed)
    return View(layout, segments, live, _source(layout.notes), settled)


def _source(path: Path) -> Source | None:
    try:
        fd = open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    return Source(path, os.fstat(fd).st_size, os.fdopen(fd, "rb", buffering=1 << 20))
