"""Wrong codes since this user's last right one."""

from __future__ import annotations

from ..state import Store
from . import Subject


class RecentFailures:
    name = "recent_failures"

    def __init__(self, points: int) -> None:
        self.points = points

    async def measure(self, subject: Subject, store: Store) -> int:
        failures, _ = await store.failures(subject.user)
        return self.points if failures else 0
