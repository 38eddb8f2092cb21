"""Reads a whole trail and says whether every line is in its place, by the chain, the tree and the checkpoints.

Streams in constant memory, never writes, takes the key from the caller and never from the audit folder. Any bytes end
in a report: what is malformed is a finding, not an exception.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..chain import ZERO, leaf_hash, opening, parse_line, parse_opening
from ..errors import LineError, NoteError, TrailUnavailable
from ..events import MAX_LINE
from ..tree import CompactRange
from .ending import good_line_follows
from .notes import read_vkeys
from .report import (
    EMPTY,
    GAP,
    NO_INTEGRITY_DATA,
    RANK,
    SHRUNK,
    TAMPERED,
    TORN_TAIL,
    UNANCHORED_TAIL,
    UNREADABLE,
    VERIFIED,
    Finding,
    Report,
    misplaced,
    seconds_between,
)
from .seals import Seals
from .sources import Source, find_layout, take_view

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from ..note import Vkey
    from .sources import View

_EVERY = 4096


def verify_trail(
    path: str | os.PathLike[str],
    *,
    vkey: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    max_unanchored_lines: int | None = None,
    max_unanchored_s: int | None = None,
) -> Report:
    """Check the trail at ``path``, its live file or its folder.

    ``vkey``: the verifier key, or a file that holds one a line; with it checkpoints are required and their signatures
    checked. ``progress`` is called with the bytes done and the bytes in all. Raises nothing.
    """
    try:
        keys = read_vkeys(vkey) if vkey is not None else ()
        view = take_view(find_layout(Path(path)))
    except (TrailUnavailable, NoteError, OSError, ValueError) as error:
        return Report(verdict=UNREADABLE, findings=(Finding(verdict=UNREADABLE, why=str(error)),), events={})
    walk = _Walk(view, keys, progress)
    try:
        walk.run()
    except (TrailUnavailable, OSError) as error:
        walk.findings.insert(0, Finding(verdict=UNREADABLE, why=str(error)))
    finally:
        walk.seals.close()
        view.close()
    return walk.report((max_unanchored_lines, max_unanchored_s))


class _Walk:
    """One pass over all lines. ``findings``: what was wrong, in the order it was met; reading stops at the first line
    that is not where it belongs."""

    def __init__(self, view: View, keys: Sequence[Vkey], progress: Callable[[int, int], None] | None) -> None:
        self._view = view
        self._keys = keys
        self._progress = progress
        self._total = sum(source.size for source in view.sources)
        self._done = 0
        self._leaf = ZERO
        self._tree = CompactRange()
        self._place: tuple[Path, int] | None = None
        self._time: str | None = None
        self._first_time: str | None = None
        self._told = 0
        self._lost = 0
        self._events: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self.seals = Seals(view, keys)

    def run(self) -> None:
        self.seals.begin(self._tree)
        for source in self._view.sources:
            with source.open() as stream:
                if not self._file(source, stream):
                    break
        if not any(item.verdict == TAMPERED for item in self.findings):
            self.seals.finish(self._tree.size)
        if self.seals.finding is not None:
            self.findings.append(self.seals.finding)
        self._whole()

    def report(self, limits: tuple[int | None, int | None]) -> Report:
        """The gravest finding decides."""
        lines, last = self._tree.size, self.seals.last
        behind = lines - (last.size if last is not None else 0)
        seconds = seconds_between(last.time if last is not None else self._first_time, self._time)
        if any(limit is not None and value > limit for limit, value in zip(limits, (behind, seconds), strict=True)):
            why = f"{behind} lines over {seconds:.0f} seconds are under no checkpoint yet"
            self.findings.append(Finding(verdict=UNANCHORED_TAIL, why=why))
        ranked = sorted(self.findings, key=lambda item: RANK.index(item.verdict))
        return Report(
            verdict=ranked[0].verdict if ranked else VERIFIED,
            findings=tuple(ranked),
            lines=lines,
            bytes=self._done,
            files=len(self._view.sources),
            signed=bool(self._keys) and last is not None,
            checkpoints=self.seals.count,
            checkpoint=last,
            root=b64encode(self._tree.root()).decode() if lines else None,
            unanchored_lines=behind,
            unanchored_s=seconds,
            lost_lines=self._lost,
            events=dict(self._events),
        )

    def _file(self, source: Source, stream: BinaryIO) -> bool:
        """All lines of one file. False if what follows cannot be checked."""
        left, number = source.size, 0
        while left:
            raw = stream.readline(min(MAX_LINE + 1, left))
            left -= len(raw)
            number += 1
            self._done += len(raw)
            if number % _EVERY == 0 and self._progress is not None:
                self._progress(self._done, self._total)
            if not raw.endswith(b"\n") or not raw[:-1].startswith(opening(self._tree.size, self._leaf)):
                return self._broken(source, stream, raw, number, left)
            try:
                event = parse_line(raw[:-1])
            except LineError as error:
                return self._malformed(source, stream, str(error), number, left)
            self._accept(raw[:-1], event, source, number)
            if self.seals.finding is not None and self.seals.finding.verdict != TORN_TAIL:
                return False
        if self._progress is not None:
            self._progress(self._done, self._total)
        return True

    def _accept(self, line: bytes, event: dict[str, Any], source: Source, number: int) -> None:
        self._leaf = leaf_hash(line)
        self._tree.append(self._leaf)
        self._place = source.path, number
        time = event.get("timestamp")
        self._time = time if isinstance(time, str) else self._time
        self._first_time = self._first_time or self._time
        if event.get("event_type") == "audit":
            self._mark(event, source, number)
        if self.seals.next_size == self._tree.size:
            self.seals.check(self._tree, self._time)

    def _mark(self, event: dict[str, Any], source: Source, number: int) -> None:
        """What the trail says of itself."""
        phase, detail = event.get("phase"), event.get("detail")
        self._events[phase if isinstance(phase, str) else "?"] += 1
        detail = detail if isinstance(detail, dict) else {}
        if phase == "checkpoint":
            self._told = max(self._told, _count(detail.get("size")))
        lost = _count(detail.get("lost")) if phase == "gap" else 0
        if lost and not self._lost:
            why = f"the trail records lines that were not written: {lost} here"
            self._find(GAP, why, source, number, self._tree.size - 1)
        self._lost += lost

    def _broken(self, source: Source, stream: BinaryIO, raw: bytes, number: int, left: int) -> bool:
        """A line that is not the one expected here: unfinished, or malformed, or of another place."""
        if not raw:
            return self._find(TAMPERED, "the file became shorter while it was read", source, number)
        if not raw.endswith(b"\n"):
            why = f"longer than {MAX_LINE} bytes" if left else "the last line is not finished"
            return self._malformed(source, stream, why, number, left)
        place = parse_opening(raw[:-1])
        if place is None:
            return self._malformed(source, stream, "not an audit line", number, left)
        if place.seq != self._tree.size:
            return self._find(TAMPERED, misplaced(place.seq, self._tree.size), source, number, place.seq)
        return self._changed(source, stream.readline(MAX_LINE + 1) if left else b"", raw, number)

    def _changed(self, source: Source, following: bytes, raw: bytes, number: int) -> bool:
        """The right number, but another ``prev``: if the line after fits this one, the one before was changed."""
        seq = self._tree.size
        fits = not following or following.startswith(opening(seq + 1, leaf_hash(raw[:-1])))
        if self._place is None or not fits:
            return self._find(TAMPERED, "the line was changed", source, number, seq)
        path, before = self._place
        why = "the line was changed: the one after it does not fit"
        self.findings.append(Finding(verdict=TAMPERED, why=why, file=path, line=before, seq=seq - 1))
        return False

    def _malformed(self, source: Source, stream: BinaryIO, why: str, number: int, left: int) -> bool:
        """Torn if it is at the end of the live file, with nothing good after it: as a crash leaves it."""
        torn = source is self._view.live and not good_line_follows(stream, left)
        return self._find(TORN_TAIL if torn else TAMPERED, why, source, number, self._tree.size)

    def _find(self, verdict: str, why: str, source: Source, number: int, seq: int | None = None) -> bool:
        self.findings.append(Finding(verdict=verdict, why=why, file=source.path, line=number, seq=seq))
        return False

    def _whole(self) -> None:
        """What should be there and is not."""
        view, layout = self._view, self._view.layout
        if not self._tree.size and not self.findings:
            self.findings.append(Finding(verdict=EMPTY, why=f"{layout.live} has no lines"))
        elif view.live is None or (view.live.size == 0 and view.segments):
            cut = layout.fresh.exists()
            why = "a rotation was cut off: the next start finishes it" if cut else "the live file is missing or empty"
            self.findings.append(Finding(verdict=TORN_TAIL if cut else SHRUNK, why=why, file=layout.live))
        if self._tree.size:
            self._sealed()

    def _sealed(self) -> None:
        """Checkpoints that the key asks for, or that the trail itself tells of."""
        size = self.seals.last.size if self.seals.last is not None else 0
        why = "no checkpoint" if self._keys and not size else ""
        if not why and self._told > size:
            why = f"the checkpoint of {self._told} lines that the trail tells of is not there"
        if why:
            self.findings.append(Finding(verdict=NO_INTEGRITY_DATA, why=why, file=self._view.layout.notes))


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
