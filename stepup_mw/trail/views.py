"""Opens a trail for reading, whatever it is in: its folder, its live file, or a pack."""

from __future__ import annotations

import os
import re
import tarfile
from collections import Counter
from typing import TYPE_CHECKING

import orjson

from ..errors import TrailUnavailable
from .files import Layout, open_regular
from .packs import FORMAT
from .pruned import parse_start
from .sources import Source, View, find_layout, packed_source, take_view
from .zst import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MANIFEST = 1 << 24
_MEMBER = re.compile(
    r"segments/[0-9]{6,}-[0-9]{12,16}\.jsonl(\.zst)?|live\.jsonl|checkpoints\.note|manifest\.json|README\.txt"
)


def find_view(path: Path) -> View:
    """A view of the trail at ``path``. TrailUnavailable or OSError if there is none that can be read."""
    return pack_view(path) or take_view(find_layout(path))


def pack_view(path: Path) -> View | None:
    """The pack at ``path`` as a view; None if it is no pack. TrailUnavailable if it is one that cannot be read."""
    if not is_pack(path):
        return None
    try:
        with tarfile.open(path, mode="r:") as pack:
            _require_no_doubt(path, pack.getmembers())
            members = {item.name: item for item in pack.getmembers()}
            data = pack.extractfile(members["manifest.json"])
            manifest = orjson.loads(data.read(_MANIFEST)) if data is not None else {}
    except (tarfile.TarError, OSError, KeyError, ValueError) as error:
        raise TrailUnavailable(f"{path} is not a whole pack: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise TrailUnavailable(f"{path} is no pack of this kind ({FORMAT})")
    names = sorted(name for name in members if name.startswith("segments/"))
    names += [name for name in ("live.jsonl",) if name in members]
    sources = [_source(path, members[name]) for name in names]
    note = members.get("checkpoints.note")
    notes = Source(path, note.size, note.offset_data, member="checkpoints.note") if note is not None else None
    start = parse_start(manifest.get("before"))
    live = sources.pop() if "live.jsonl" in members else None
    return View(Layout(path), tuple(sources), live, notes, notes.size if notes else 0, partial=True, start=start)


def _require_no_doubt(path: Path, members: Sequence[tarfile.TarInfo]) -> None:
    """Of two members of one name, one reader takes the first, another the last; what no pack has is passed over by one
    and read by another: nobody would know what was verified."""
    names = Counter(item.name for item in members)
    for item in members:
        if names[item.name] > 1:
            raise TrailUnavailable(f"{path} holds {item.name} {names[item.name]} times, and only one can be meant")
        if not item.isreg() or not _MEMBER.fullmatch(item.name):
            raise TrailUnavailable(f"{path} holds {item.name}, which is no part of a pack")


def _source(path: Path, member: tarfile.TarInfo) -> Source:
    if not member.name.endswith(SUFFIX):
        return Source(path, member.size, member.offset_data, member=member.name)
    fd = open_regular(path, os.O_RDONLY)
    try:
        return packed_source(path, fd, member.offset_data, member.size, member.name)
    finally:
        os.close(fd)


def is_pack(path: Path) -> bool:
    """Whether a tar file stands there."""
    try:
        fd = open_regular(path, os.O_RDONLY)
    except (OSError, ValueError, TrailUnavailable):
        return False
    try:
        return os.pread(fd, 5, 257) == b"ustar"
    finally:
        os.close(fd)
