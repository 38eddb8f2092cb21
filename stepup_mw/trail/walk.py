"""One pass over the lines of a trail: how far everything is in its place, and the first thing that is not.

Takes pieces that were checked already, and looks line by line into those that were not right. ``findings``: what was
wrong, in the order it was met; the pass ends at the first line that is not where it belongs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..chain import leaf_hash, opening, parse_line, parse_opening
from ..errors import LineError
from ..events import MAX_LINE
from .ending import good_line_follows
from .report import TAMPERED, TORN_TAIL, Finding, misplaced
from .told import Told

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from ..chain import Tip
    from ..tree import CompactRange
    from .pieces import Piece, Run, Task
    from .pruned import Start
    from .seals import Seals
    from .sources import Source
    from .trusted import Trusted


class Walk:
    """``size`` lines so far, the last of hash ``leaf``; ``tree`` is None where no root is asked for."""

    def __init__(self, start: Start, tree: CompactRange | None, seals: Seals, trusted: Trusted) -> None:
        self.size = start.seq
        self.leaf = start.leaf
        self.tree = tree
        self.seals = seals
        self.trusted = trusted
        self.told = Told()
        self.time: str | None = None
        self.first_time: str | None = None
        self.findings: list[Finding] = []
        self._place: tuple[Path, int] | None = None
        self._file: tuple[Path, int] | None = None

    @property
    def next_root(self) -> int:
        """The number of lines at which the next root is asked for; -1 if none is."""
        asked = [size for size in (self.seals.next_size, self.trusted.next_size) if size >= 0]
        return min(asked, default=-1)

    def take(self, source: Source, task: Task, piece: Piece) -> bool | None:
        """Add a piece that was found right. None if it does not follow, or misses a root, and has to be looked into;
        False if nothing after it counts."""
        if (task.tip.seq, task.tip.leaf) != (self.size, self.leaf):
            return None
        if self.size < self.next_root < piece.tip.seq and self.next_root not in (task.cuts or ()):
            return None
        self._enter(source)
        for run in piece.runs:
            if not self._run(run):
                return False
        self._end_piece(source, piece)
        return True

    def look(self, source: Source, task: Task, *, live: bool) -> bool:
        """Go through a piece line by line. False if what follows cannot be checked."""
        self._enter(source)
        left = task.size
        with source.open(task.offset - source.offset) as stream:
            while left:
                raw = stream.readline(min(MAX_LINE + 1, left))
                left -= len(raw)
                if not raw.endswith(b"\n") or not raw[:-1].startswith(opening(self.size, self.leaf)):
                    return self._broken(source, stream, raw, left, live=live)
                try:
                    event = parse_line(raw[:-1])
                except LineError as error:
                    return self._malformed(source, stream, str(error), live=live)
                if not self._accept(raw[:-1], event, source):
                    return False
        return True

    def _enter(self, source: Source) -> None:
        if self._file is None or self._file[0] != source.name:
            self._file = source.name, self.size

    def _number(self) -> int:
        """The line in the file, from 1, that comes next."""
        return self.size - (self._file[1] if self._file else 0) + 1

    def _run(self, run: Run) -> bool:
        if self.tree is not None:
            for level, root in run.subtrees:
                self.tree.append_subtree(level, root)
        self.size, self.time = run.size, run.time or self.time
        return self._check_roots()

    def _end_piece(self, source: Source, piece: Piece) -> None:
        self.leaf = piece.tip.leaf
        self.first_time = self.first_time or piece.first_time
        self.told.add(piece.told)
        self._place = source.name, self._number() - 1

    def _check_roots(self) -> bool:
        """False if a checkpoint does not fit, after which nothing counts."""
        if self.tree is None:
            return True
        self.trusted.check(self.tree)
        self.seals.check(self.tree, self.time)
        finding = self.seals.finding
        return finding is None or finding.verdict == TORN_TAIL

    def _accept(self, line: bytes, event: dict[str, Any], source: Source) -> bool:
        self._place = source.name, self._number()
        self.leaf = leaf_hash(line)
        self.told.line(event, self.size)
        self.size += 1
        if self.tree is not None:
            self.tree.append(self.leaf)
        time = event.get("timestamp")
        self.time = time if isinstance(time, str) else self.time
        self.first_time = self.first_time or self.time
        return self._check_roots()

    def _broken(self, source: Source, stream: BinaryIO, raw: bytes, left: int, *, live: bool) -> bool:
        """A line that is not the one expected here: unfinished, or malformed, or of another place."""
        if not raw:
            return self._find(TAMPERED, "the file became shorter while it was read", source)
        if not raw.endswith(b"\n"):
            why = f"longer than {MAX_LINE} bytes" if left or len(raw) > MAX_LINE else "the last line is not finished"
            return self._malformed(source, stream, why, live=live)
        place = parse_opening(raw[:-1])
        if place is None:
            return self._malformed(source, stream, "not an audit line", live=live)
        if place.seq != self.size:
            return self._find(TAMPERED, misplaced(place.seq, self.size), source, place.seq)
        return self._changed(source, stream.readline(MAX_LINE + 1), raw, place)

    def _changed(self, source: Source, following: bytes, raw: bytes, place: Tip) -> bool:
        """The right number, but another ``prev``: if the line after fits this one, the one before was changed."""
        fits = not following or following.startswith(opening(place.seq + 1, leaf_hash(raw[:-1])))
        if self._place is None or not fits:
            return self._find(TAMPERED, "the line was changed", source, place.seq)
        path, before = self._place
        why = "the line was changed: the one after it does not fit"
        self.findings.append(Finding(verdict=TAMPERED, why=why, file=path, line=before, seq=place.seq - 1))
        return False

    def _malformed(self, source: Source, stream: BinaryIO, why: str, *, live: bool) -> bool:
        """Torn if it is at the end of the live file, with nothing good after it: as a crash leaves it."""
        torn = live and not good_line_follows(stream, source.size)
        return self._find(TORN_TAIL if torn else TAMPERED, why, source, self.size)

    def _find(self, verdict: str, why: str, source: Source, seq: int | None = None) -> bool:
        self.findings.append(Finding(verdict=verdict, why=why, file=source.name, line=self._number(), seq=seq))
        return False
