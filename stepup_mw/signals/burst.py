"""More sensitive requests by one user in a window than is usual for a person."""

from __future__ import annotations

from ..encoding import format_duration
from ..errors import SignalError
from ..state import Store
from . import Finding, Subject


class Burst:
    """Holds when the user has made more than ``limit`` sensitive requests in the last ``window_s`` seconds."""

    name = "burst"

    def __init__(self, points: int, *, limit: int, window_s: int) -> None:
        self.points = points
        self._limit = limit
        self._window_s = window_s

    async def measure(self, subject: Subject, store: Store) -> Finding:
        hits = await store.hits(
            f"burst:{subject.user}", now=subject.now, window_s=self._window_s, record=subject.record
        )
        if hits <= self._limit and subject.lost_at > subject.now - self._window_s:
            raise SignalError("the store lost how many requests there were")
        words = "number {} of this user's sensitive requests within {}; it holds above {}"
        values = (hits, format_duration(self._window_s), self._limit)
        return Finding(self.points if hits > self._limit else 0, words, values)
