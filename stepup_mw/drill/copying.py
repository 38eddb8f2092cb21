"""Copies of a trail: read once, at one moment, and written as often as a forger likes. Never changes what it reads."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ..errors import TrailUnavailable
from ..trail.files import Layout
from ..trail.sources import take_view
from ..trail.zst import SUFFIX
from .attacks import Copy
from .values import NotPossible

if TYPE_CHECKING:
    from pathlib import Path

    from ..trail.sources import Source

_NOTES = "checkpoints.note"


def read_copy(live: Path, limit: int) -> Copy:
    """The trail whose live file is ``live``, as it is at one moment. NotPossible if there is none, or it is larger than
    ``limit`` bytes."""
    try:
        view = take_view(Layout(live))
    except (OSError, TrailUnavailable) as error:
        raise NotPossible(f"the trail cannot be read: {error}") from None
    try:
        size = sum(source.size for source in view.sources)
        if not size:
            raise NotPossible("the trail has no lines yet")
        if size > limit:
            raise NotPossible(f"the trail has {size / 1e6:,.0f} MB, more than is copied; --copy raises that")
        files = [(f"segments/{source.path.name.removesuffix(SUFFIX)}", _read(source)) for source in view.segments]
        files += [(live.name, _read(view.live))] if view.live is not None else []
        return Copy(tuple(files), _read(view.notes) if view.notes is not None else b"")
    finally:
        view.close()


def _read(source: Source) -> bytes:
    """The lines, also of a compressed segment."""
    with source.open() as stream:
        return stream.read()


class Folder:
    """A trail's folder that holds one copy at a time; only what differs from the last one is written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._there: dict[str, bytes] = {}

    def write(self, copy: Copy) -> None:
        wanted = dict(copy.files)
        if copy.notes:
            wanted[_NOTES] = copy.notes
        (self.path / "segments").mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in self._there.keys() - wanted.keys():
            (self.path / name).unlink()
        for name, data in wanted.items():
            if self._there.get(name) is not data:
                (self.path / name).write_bytes(data)
        self._there = wanted

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
