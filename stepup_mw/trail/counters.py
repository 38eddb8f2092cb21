"""Which records of each writer are in the trail: a number that was given out and stands in no line is a hole.

``writer.n`` goes up by one from record to record of one ``writer.life``. The trail's own lines have no number; they say
after which one they come (``writer.after``), and ``audit/stop`` after the last that was given out. What
``audit/gap`` lines account for (lines refused, lines lost and said to be) is no hole. What a writer still held when it
was killed has no later line to show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_MOST = 10_000
"""Writers that are looked after at a time; the oldest beyond are settled as they are."""

_SPANS = 100


@dataclass(slots=True)
class _Life:
    """A run of one writer's lines. All numbers above ``before`` and up to ``last`` are here, or among the ``holes``;
    ``missing`` says which those are, the first and the last of each span, for the first of them."""

    before: int
    last: int
    holes: int = 0
    explained: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)

    def reach(self, before: int, last: int) -> None:
        """All numbers up to ``before`` were given out by now, and ``last`` is here. Lower ones than the last so far are
        of lines that were written again."""
        if before > self.last:
            self.holes += before - self.last
            if len(self.missing) < _SPANS:
                self.missing.append((self.last + 1, before))
        self.last = max(self.last, last)

    def add(self, later: _Life) -> None:
        """The run that follows this one. What it misses may have been here already."""
        known = sum(min(high, self.last) - low + 1 for low, high in later.missing if low <= self.last)
        self.holes += max(0, later.before - self.last) + later.holes - known
        self.explained += later.explained
        self.last = max(self.last, later.last)

    @property
    def open(self) -> int:
        return max(0, self.holes - self.explained)


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
        name, n, after = writer.get("life"), writer.get("n"), writer.get("after")
        if type(name) is not str or not name:
            return
        if type(n) is int:
            self.number(name, n)
        elif type(after) is int:
            self._reach(name, after, after)

    def number(self, name: str, n: int) -> None:
        """A record with the number ``n`` of the writer ``name``."""
        life = self._lives.get(name)
        if life is not None and n == life.last + 1:
            life.last = n
        elif name:
            self._reach(name, n - 1, n)

    def follow(self, name: str, n: int) -> None:
        """Records that follow the last one of the writer ``name``, all of them up to ``n``."""
        life = self._lives.get(name)
        if life is not None:
            life.last = max(life.last, n)

    def explain(self, name: str, count: int) -> None:
        """A line of the writer ``name``, already counted, accounts for ``count`` records that are not in the trail."""
        life = self._lives.get(name)
        if life is not None:
            life.explained += count

    def add(self, later: Counters) -> None:
        """The run that follows this one."""
        self.settled += later.settled
        for name, new in later._lives.items():
            old = self._lives.get(name)
            if old is None:
                self._begin(name, new)
            else:
                old.add(new)

    def holes(self) -> int:
        """Records that were given a number and are neither in the trail nor accounted for."""
        return self.settled + sum(life.open for life in self._lives.values())

    def _reach(self, name: str, before: int, last: int) -> None:
        life = self._lives.get(name)
        if life is None:
            self._begin(name, _Life(before, last))
        else:
            life.reach(before, last)

    def _begin(self, name: str, life: _Life) -> None:
        self._lives[name] = life
        if len(self._lives) > _MOST:
            self.settled += self._lives.pop(next(iter(self._lives))).open
