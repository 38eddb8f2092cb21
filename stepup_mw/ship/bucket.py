"""What a bucket holds of a trail: its checkpoints and segments, as they were first stored.

A version that came later, and a marker that hides one, are what an attacker with the right to write can add: both are
counted and neither is believed. Reads only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import AnchorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .s3 import Bucket

_NOTE = re.compile(r"(0|[1-9][0-9]{0,18})-[0-9a-f]{16}\.note", re.ASCII)
_SEGMENT = re.compile(r"segment-(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})-([0-9a-f]{64})\.jsonl(?:\.zst)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNote:
    """A checkpoint over ``size`` lines; ``when`` it was stored, Unix seconds by the server's clock."""

    key: str
    version: str
    when: float
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSegment:
    """The lines ``first`` to ``last`` in ``bytes`` bytes whose SHA-256 should be ``digest``, in hex."""

    key: str
    version: str
    when: float
    first: int
    last: int
    digest: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """In the order of their lines. ``later``: versions that were put over others; ``hidden``: objects behind a delete
    marker."""

    folder: str
    notes: tuple[StoredNote, ...]
    segments: tuple[StoredSegment, ...]
    later: int = 0
    hidden: int = 0


def list_bucket(bucket: Bucket, prefix: str, *, page_size: int = 1000) -> Listing:
    """Everything of the one trail under ``prefix``. AnchorError if there are several, or the bucket cannot be read."""
    first: dict[str, dict[str, Any]] = {}
    later, hidden = 0, 0
    for page in _pages(bucket, prefix, page_size):
        hidden += sum(1 for marker in page.get("DeleteMarkers", ()) if marker.get("IsLatest"))
        for item in page.get("Versions", ()):
            key = item["Key"]
            later += key in first
            if key not in first or item["LastModified"] <= first[key]["LastModified"]:
                first[key] = item  # versions of a key come newest first
    notes, segments, folders = [], [], set()
    for key, item in first.items():
        folder, _, name = key.rpartition("/")
        note, segment = _NOTE.fullmatch(name), _SEGMENT.fullmatch(name)
        if note is not None:
            notes.append(_note(item, note))
        if segment is not None:
            segments.append(_segment(item, segment))
        if note is not None or segment is not None:
            folders.add(f"{folder}/")
    if len(folders) > 1:
        raise AnchorError(f"{bucket.name}/{prefix} holds {len(folders)} trails, name one: {', '.join(sorted(folders))}")
    return Listing(
        folder=folders.pop() if folders else prefix,
        notes=tuple(sorted(notes, key=lambda stored: (stored.size, stored.when))),
        segments=tuple(sorted(segments, key=lambda stored: (stored.first, stored.when))),
        later=later,
        hidden=hidden,
    )


def _note(item: dict[str, Any], name: re.Match[str]) -> StoredNote:
    when = item["LastModified"].timestamp()
    return StoredNote(key=item["Key"], version=item["VersionId"], when=when, size=int(name[1]))


def _segment(item: dict[str, Any], name: re.Match[str]) -> StoredSegment:
    return StoredSegment(
        key=item["Key"],
        version=item["VersionId"],
        when=item["LastModified"].timestamp(),
        first=int(name[1]),
        last=int(name[2]),
        digest=name[3],
        bytes=item["Size"],
    )


def _pages(bucket: Bucket, prefix: str, size: int) -> Iterator[dict[str, Any]]:
    place: dict[str, Any] = {}
    while True:
        page = bucket.call("list_object_versions", Prefix=prefix, MaxKeys=size, **place)
        yield page
        if not page.get("IsTruncated"):
            return
        place = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}
