"""A request outside working hours, by the clock of a place."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from ..state import Store
from . import Finding, Subject


class OffHours:
    """``start`` and ``end``: "HH:MM", the end excluded; ``start`` after ``end`` runs over midnight."""

    name = "off_hours"

    def __init__(self, points: int, *, start: str, end: str, timezone: str) -> None:
        self.points = points
        self._start = time.fromisoformat(start)
        self._end = time.fromisoformat(end)
        self._zone = ZoneInfo(timezone)
        self._hours = f"{start}-{end}"

    async def measure(self, subject: Subject, store: Store) -> Finding:  # noqa: ARG002 - one shape for all signals
        moment = datetime.fromtimestamp(subject.now, self._zone)
        if self.hold(subject.now):
            return Finding(self.points, "{:%H:%M} in {} lies within {}", (moment, self._zone.key, self._hours))
        return Finding(0, "{:%H:%M} in {} lies outside of {}", (moment, self._zone.key, self._hours))

    def hold(self, now: float) -> bool:
        """Whether a moment (Unix seconds) is outside working hours."""
        moment = datetime.fromtimestamp(now, self._zone).time()
        if self._start <= self._end:
            return self._start <= moment < self._end
        return moment >= self._start or moment < self._end
