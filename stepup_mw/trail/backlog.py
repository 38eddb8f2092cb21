"""What the trail owes: lines it could not take, kept or counted until it can, by the class of each.

    closed      access, outcomes, challenges, grants, enrollment …   whoever waits is told, and lets nothing happen
    spooled     what was stopped anyway (denials)                    kept, written when that can be; else counted
    info        what only informs (results)                          counted; dropped where the disk is nearly full

The counts stand in ``audit/gap``: ``refused`` of the first, ``lost`` of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import TrailUnavailable
from .files import say_unwritten
from .losses import Losses
from .marks import said_again
from .spool import Spool, find_orphans
from .waiting import Entry, close_all, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .disk import Stage
    from .files import Layout
    from .marks import Marks

MOST_LINES = 1000
MOST_BYTES = 1 << 20
"""Of what is spooled, in memory: what it does not hold is counted. See ``spool`` for the copy on disk."""

_EVERY_S = 60.0
"""How often dropped lines are put on record while more are being dropped."""


class Backlog:
    """Of one writer."""

    def __init__(self, marks: Marks, layout: Layout) -> None:
        self.losses = Losses(marks)
        self._layout = layout
        self._disk = Spool(layout, str(marks.writer["life"]))
        self._adopted = False
        self._marks = marks
        self._spool: list[bytes] = []
        self._bytes = 0
        self._unsure: list[bytes] = []
        self._dropped = 0
        self._dropped_at = 0.0

    def __bool__(self) -> bool:
        return bool(self.losses or self._spool)

    @property
    def waits(self) -> bool:
        """Whether there is anything that a later look has to deal with."""
        return bool(self or self._dropped)

    def bodies(self) -> list[bytes]:
        """What is to be written before anything else, closed; ``written`` once it is."""
        return [*self.losses.records(), *self._spool]

    def written(self) -> None:
        self.losses.written()
        self._unsure += self._spool
        self._spool, self._bytes = [], 0

    def synced(self) -> None:
        """All that was written is durable."""
        self._unsure = []
        if not self._spool:
            self._disk.clear()

    def unsure(self) -> int:
        """What was kept and then written is not sure to be durable: it is owed again. Gives how many lines that is."""
        owed, self._unsure = [said_again(body) for body in self._unsure[:MOST_LINES]], []
        self._spool = [*owed, *self._spool]
        self._bytes += sum(map(len, owed))
        return len(owed)

    def adopt(self, offer: Callable[[Entry], bool]) -> None:
        """Once, where the trail can be written: queue what writers left that are gone."""
        if self._adopted:
            return
        self._adopted = True
        for orphan in find_orphans(self._layout):
            try:
                taken = offer(Entry(orphan.records, orphan, spooled=True))
            except TrailUnavailable:
                taken = False
            if not taken:
                orphan.set_result(False)

    def close(self) -> None:
        """Let go of the files, in a forked child too."""
        self._disk.close()

    def fail(self, entries: Sequence[Entry], error: Exception, *, again: bool = False) -> None:
        """None of these was written, or, ``again``, none is sure to be durable: those who wait are told, but for what
        is spooled, which is taken care of."""
        if again:
            self.unsure()
        kept = [entry for entry in entries if entry.spooled and self._keep(entry, again=again)]
        rest = [entry for entry in entries if entry not in kept]
        refused = sum(len(entry.records) for entry in rest if entry.future is not None and not entry.spooled)
        lost = sum(len(entry.records) for entry in rest) - refused
        self.losses.add(lost=lost, refused=refused, why=str(error))
        durable = bool(kept) and self._disk.keep([record for entry in kept for record in entry.records], error)
        release(kept, None, durable)
        release([entry for entry in rest if entry.spooled], None, False)
        told = say_unwritten(self._layout.live, error)
        release([entry for entry in rest if not entry.spooled], told)

    def _keep(self, entry: Entry, *, again: bool) -> bool:
        bodies = close_all([entry], self._marks.close)
        size = sum(map(len, bodies))
        if len(self._spool) + len(bodies) > MOST_LINES or self._bytes + size > MOST_BYTES:
            return False
        self._spool += map(said_again, bodies) if again else bodies
        self._bytes += size
        return True

    def drop(self, entries: Iterable[Entry], stage: Stage) -> list[Entry]:
        """Those that are written at this stage of the disk; the others are counted."""
        if stage in ("ok", "warn"):
            return list(entries)
        left = []
        for entry in entries:
            if entry.info:
                self._dropped_at = self._dropped_at if self._dropped else self._marks.clock()
                self._dropped += len(entry.records)
            else:
                left.append(entry)
        return left

    def settle(self, stage: Stage, *, ending: bool = False) -> None:
        """Count what was dropped among the losses: at once where dropping is over, now and then while it goes on."""
        waited = self._marks.clock() - self._dropped_at
        if self._dropped and (ending or stage in ("ok", "warn") or not 0 <= waited < _EVERY_S):
            self.losses.add(lost=self._dropped, refused=0, why="lines that only inform: the disk is nearly full")
            self._dropped = 0
