"""How far each place outside has come: which checkpoints and which sealed segments it has, one small file each.

    audit/cursors/<name>          {"segment":12,"size":48123}

A cursor only moves forward, and only after the place outside has confirmed; what is lost or broken begins again at
the start. So everything arrives at least once. Whatever is read here is a hint: whoever can write the audit folder can
change it. Nothing is sent from here.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from ..errors import NoteError
from .files import Layout, Sealed, create, make_folder, open_regular, sync_folder, write_whole
from .notes import read_notes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..note import Checkpoint

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """``size``: the lines of the largest checkpoint that has arrived; ``segment``: the number of the last sealed
    segment that has."""

    size: int = 0
    segment: int = 0


class Cursor:
    """One place outside, by a ``name`` that makes a file name (ValueError if it does not)."""

    def __init__(self, live: Path, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} makes no name for a cursor")
        self._layout = Layout(live)
        self._path = self._layout.cursors / name

    def read(self) -> Place:
        """Where it is; at the start where nothing, or nothing readable, is kept."""
        try:
            kept = orjson.loads(self._path.read_bytes())
            size, segment = kept["size"], kept["segment"]
        except (OSError, ValueError, TypeError, KeyError):
            return Place()
        return Place(size=size, segment=segment) if type(size) is type(segment) is int else Place()

    def advance(self, *, size: int = 0, segment: int = 0) -> Place:
        """Move forward, durable on return; a smaller number than is kept changes nothing. OSError if it cannot."""
        old = self.read()
        new = Place(size=max(old.size, size), segment=max(old.segment, segment))
        if new != old:
            make_folder(self._layout.cursors)
            draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            draft.unlink(missing_ok=True)
            fd = create(draft)
            try:
                write_whole(fd, orjson.dumps({"segment": new.segment, "size": new.size}))
                os.fsync(fd)
            finally:
                os.close(fd)
            draft.rename(self._path)
            sync_folder(self._layout.cursors)
        return new

    def segments(self) -> list[Sealed]:
        """The sealed segments that have not arrived, the oldest first."""
        last = self.read().segment
        return [sealed for sealed in self._layout.sealed() if sealed.index > last]

    def notes(self) -> Iterator[tuple[Checkpoint, bytes]]:
        """The checkpoints that have not arrived, in order, each with the bytes of its note. Signatures are not looked
        at, and what is no checkpoint is left out."""
        size = self.read().size
        try:
            fd = open_regular(self._layout.notes, os.O_RDONLY)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "rb") as stream:
            for found in read_notes(stream, os.fstat(fd).st_size):
                try:
                    _, checkpoint = found.parse()
                except NoteError:
                    continue
                if checkpoint.size > size:
                    yield checkpoint, found.data


def anchored_size(layout: Layout) -> int | None:
    """Lines under a checkpoint that every place outside has, as the cursors say. None where there is no cursor."""
    try:
        names = [name for name in os.listdir(layout.cursors) if _NAME.fullmatch(name)]  # noqa: PTH208 - names are enough
    except FileNotFoundError:
        return None
    return min((Cursor(layout.live, name).read().size for name in names), default=None)
