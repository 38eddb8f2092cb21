"""Which records of each writer are in the trail: a number that was given out and stands in no line is a hole.

``writer.n`` goes up by one from record to record of one ``writer.life``; the trail's own lines repeat the last number,
and ``audit/stop`` carries the last that was given out. What ``audit/gap`` lines account for (lines refused, lines lost
and said to be) is no hole. What a writer still held when it was killed has no later line to show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_EDGES = ("start", "stop")
_MOST = 10_000
"""Writers that are looked after at a time; the oldest beyond are settled as they are."""


@dataclass(slots=True)
class _Life:
    """``first``: the first number here, in a line of the kind ``opens``; ``last``: the latest."""

    first: int
    opens: str
    last: int
    holes: int = 0
    explained: int = 0


@dataclass(slots=True)
class Counters:
    """Over a run of lines; two runs that follow each other add up. ``settled``: holes of writers that are gone."""

    settled: int = 0
    _lives: dict[str, _Life] = field(default_factory=dict)

    def line(self, event: dict[str, Any]) -> None:
        """One line, in order. Whatever it holds."""
        writer = event.get("writer")
        if type(writer) is not dict:
            return
        name, n = writer.get("life"), writer.get("n")
        if type(n) is int and type(name) is str and name:
            self.number(name, n, event)

    def number(self, name: str, n: int, event: dict[str, Any]) -> None:
        """A line whose writer is known to be ``name``, with the number ``n``."""
        if not name:
            return
        life = self._lives.get(name)
        if life is not None and 0 <= n - life.last <= 1 and event.get("phase") not in _EDGES:
            life.last = n
            return
        self._step(name, _Life(n, _kind(event), n))

    def explain(self, name: str, count: int) -> None:
        """A line of the writer ``name``, already counted, accounts for ``count`` records that are not in the trail."""
        life = self._lives.get(name)
        if life is not None:
            life.explained += count

    def add(self, later: Counters) -> None:
        """The run that follows this one."""
        self.settled += later.settled
        for name, life in later._lives.items():
            self._step(name, life)

    def holes(self) -> int:
        """Records that were given a number and are neither in the trail nor accounted for."""
        return self.settled + sum(_open(life) for life in self._lives.values())

    def _step(self, name: str, new: _Life) -> None:
        """What comes next of a writer. A lower number than the last is of a line that was written again."""
        old = self._lives.get(name)
        if old is None or new.opens == "start":
            if old is not None:
                self.settled += _open(old)
            self._lives[name] = new
            if len(self._lives) > _MOST:
                self.settled += _open(self._lives.pop(next(iter(self._lives))))
            return
        old.holes += max(0, new.first - old.last - (new.opens != "stop")) + new.holes
        old.explained += new.explained
        old.last = max(old.last, new.last)


def _kind(event: dict[str, Any]) -> str:
    phase = event.get("phase")
    return phase if event.get("event_type") == "audit" and phase in _EDGES else ""


def _open(life: _Life) -> int:
    return max(0, life.holes - life.explained)
