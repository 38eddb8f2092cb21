"""Where a trail begins whose oldest segments were removed: what the record of their removal leaves of them.

The ``audit/pruned`` line of a removed segment holds the hashes that stand for all lines up to its end (the roots of
the perfect subtrees) and the hash of the last of them. Nothing here is believed: the line after has to name that hash,
every later checkpoint needs those roots, and the record itself is a line of the tree it helps to compute.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..chain import ZERO, Tip, leaf_hash, opening, parse_opening
from ..errors import ProofError
from ..events import MAX_LINE
from ..tree import CompactRange
from .marks import event_of, is_mark
from .report import PRUNED_UNRECORDED, TAMPERED, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .sources import Source


@dataclass(frozen=True, slots=True)
class Start:
    """The lines before the first one there is: ``range`` over them, ``leaf`` the last one's hash. ``known``: whether a
    record says so; if not, the leaf is what the first line claims, and the range of no use."""

    range: CompactRange = field(default_factory=CompactRange)
    leaf: bytes = ZERO
    seq: int = 0
    known: bool = True


def describe_start(tree: CompactRange, leaf: bytes) -> dict[str, Any]:
    """A start as the ``detail`` of a record tells it."""
    return {
        "size": tree.size,
        "leaf": b64encode(leaf).decode(),
        "frontier": [b64encode(item).decode() for item in tree.hashes],
        "root": b64encode(tree.root()).decode(),
    }


def parse_start(detail: Any) -> Start | None:
    """``describe_start`` taken back; None for anything else."""
    try:
        frontier = [b64decode(item, validate=True) for item in detail["frontier"]]
        found = CompactRange(detail["size"], frontier)
        leaf = b64decode(detail["leaf"], validate=True)
    except (KeyError, TypeError, AttributeError, ValueError, Base64Error, ProofError):
        return None
    return Start(found, leaf, found.size) if len(leaf) == 32 else None


def find_start(sources: Sequence[Source]) -> Start:
    """Where the lines of these files begin. OSError or TrailUnavailable if they cannot be read."""
    first = _first_place(sources)
    if first.seq == 0:
        return Start()
    for source in reversed(sources):
        for line in _records(source):
            found = parse_start(event_of(line).get("detail"))
            if found is not None and found.seq == first.seq:
                return found
    return Start(leaf=first.leaf, seq=first.seq, known=False)


def missing_front(sources: Sequence[Source], size: int) -> Finding:
    """What it means that the lines before ``size``, the first there is, are gone and no record accounts for them: files
    that somebody removed, or what was in a live file that a running service found emptied, as its next line says."""
    source = next(source for source in sources if source.size)
    with source.open() as stream:
        line = stream.readline(MAX_LINE)
    detail = event_of(line.rstrip(b"\n")).get("detail") if is_mark(line, "file_replaced") else None
    if isinstance(detail, dict):
        why = f"the lines before it are missing: it says that the live file was {str(detail.get('what'))[:32]}"
        return Finding(verdict=TAMPERED, why=why, file=source.name, line=1, seq=size)
    why = f"the trail begins with line {size}: lines before it are missing"
    return Finding(verdict=PRUNED_UNRECORDED, why=why, file=source.name)


def _first_place(sources: Sequence[Source]) -> Tip:
    """What the first line says of its place; the start if it says nothing, or if the second does not follow it: then
    something else is wrong than that lines are missing."""
    for source in sources:
        if source.size:
            with source.open() as stream:
                first, second = stream.readline(MAX_LINE), stream.readline(MAX_LINE)
            place = parse_opening(first)
            if place is None or (second and not second.startswith(opening(place.seq + 1, leaf_hash(first[:-1])))):
                return Tip()
            return place
    return Tip()


def _records(source: Source) -> Iterator[bytes]:
    """The lines of a file that tell of a removed segment."""
    with source.open() as stream:
        while raw := stream.readline(MAX_LINE + 1):
            if is_mark(raw, "pruned"):
                yield raw.rstrip(b"\n")
