"""Wrong codes since this user's last right one."""

from __future__ import annotations

from ..errors import SignalError
from ..state import Store
from . import Finding, Subject


class RecentFailures:
    name = "recent_failures"

    def __init__(self, points: int) -> None:
        self.points = points

    async def measure(self, subject: Subject, store: Store) -> Finding:
        failures, _ = await store.failures(subject.user)
        if failures:
            codes = "code" if failures == 1 else "codes"
            return Finding(self.points, "{} wrong {} since the last right one", (failures, codes))
        if subject.lost_at and not await store.factors(subject.user):
            raise SignalError("the store lost how often this user failed")
        return Finding(0, "no wrong code since the last right one")
