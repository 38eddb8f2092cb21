"""A request outside working hours, by the clock of a place."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from ..state import Store
from . import Subject


class OffHours:
    """``start`` and ``end``: "HH:MM", the end excluded; ``start`` after ``end`` runs over midnight."""

    name = "off_hours"

    def __init__(self, points: int, *, start: str, end: str, timezone: str) -> None:
        self.points = points
        self._start = time.fromisoformat(start)
        self._end = time.fromisoformat(end)
        self._zone = ZoneInfo(timezone)

    async def measure(self, subject: Subject, store: Store) -> int:  # noqa: ARG002 - one shape for all signals
        moment = datetime.fromtimestamp(subject.now, self._zone).time()
        if self._start <= self._end:
            holds = self._start <= moment < self._end
        else:
            holds = moment >= self._start or moment < self._end
        return self.points if holds else 0
