"""Looks at how a crash left a trail, says what a start would put right, and why it would not. Changes nothing itself.

What is put right is what no acknowledged line is in: bytes after the last whole line, a rotation half done, a note half
written. A trail that is shorter than what was signed for, or changed, is evidence and is left as it is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from ..errors import NoteError, TrailUnavailable
from . import recovery
from .ending import read_ending
from .files import Layout, open_regular
from .locks import SharedLock
from .notes import last_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """``what`` is ``torn_line``, ``rotation`` or ``torn_note``; the ``bytes`` of a line go to ``torn/<sha256>``, those
    of a note are dropped, since it is signed anew."""

    what: str
    file: Path
    offset: int = 0
    bytes: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """``refused``: why nothing may be repaired, "" if it may. ``lines``: whole lines that stay."""

    damages: tuple[Damage, ...]
    lines: int
    refused: str = ""


def diagnose(live: Path) -> Diagnosis:
    """What a start of the service would find. TrailUnavailable or OSError if that cannot be read."""
    layout = Layout(live)
    with SharedLock(layout.lock):
        damages: list[Damage] = []
        if layout.fresh.exists():
            damages.append(Damage(what="rotation", file=layout.fresh))
        try:
            lines = _live(layout, damages)
            recovery.require_whole(layout, lines)
        except TrailUnavailable as error:
            return Diagnosis(damages=(), lines=0, refused=str(error))
        _notes(layout, damages)
        return Diagnosis(damages=tuple(damages), lines=lines)


def _live(layout: Layout, damages: list[Damage]) -> int:
    path = layout.live if os.path.lexists(layout.live) or not layout.fresh.exists() else layout.fresh
    try:
        fd = open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return recovery.sealed_tip(layout).seq
    try:
        size = os.fstat(fd).st_size
        ending = read_ending(fd, size)
        if ending.end < size:
            digest = sha256()
            for offset in range(ending.end, size, _BLOCK):
                digest.update(os.pread(fd, min(_BLOCK, size - offset), offset))
            torn = size - ending.end
            damages.append(
                Damage(what="torn_line", file=path, offset=ending.end, bytes=torn, sha256=digest.hexdigest())
            )
        return (ending.tip or recovery.sealed_tip(layout)).seq
    finally:
        os.close(fd)


def _notes(layout: Layout, damages: list[Damage]) -> None:
    try:
        found = last_checkpoint(layout.notes)
        size = layout.notes.stat().st_size
    except (FileNotFoundError, NoteError):
        return
    end = found[2] if found is not None else 0
    if end < size:
        damages.append(Damage(what="torn_note", file=layout.notes, offset=end, bytes=size - end))
