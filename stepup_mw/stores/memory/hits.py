"""Counts of what happened lately, by key, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from bisect import insort_right
from heapq import heappop, heappush, heapreplace

from ..bounds import HITS_KEPT, KEYS_KEPT


class Hits:
    """Times, by key. One key is always asked for with one window.

    ``_ends`` has one entry a key, at or before the end of its newest hit, so that a key nobody asks for again
    leaves without a search.
    """

    def __init__(self, *, keys_kept: int = KEYS_KEPT) -> None:
        self._times: dict[str, list[tuple[float, float]]] = {}
        self._ends: list[tuple[float, str]] = []
        self._keys_kept = keys_kept

    def __len__(self) -> int:
        return len(self._times)

    def since(self, key: str, moment: float) -> list[float]:
        """The times of the hits after ``moment``, oldest first."""
        return [at for at, _ in self._times.get(key, ()) if at > moment]

    def add(self, key: str, *, now: float, window_s: int) -> None:
        self._drop_ended(now)
        times = self._times.get(key)
        if times is None:
            times = self._times[key] = []
            heappush(self._ends, (now + window_s, key))
        insort_right(times, (now, now + window_s))
        del times[:-HITS_KEPT]
        while len(self._times) > self._keys_kept:
            self._times.pop(heappop(self._ends)[1])

    def take_back(self, key: str) -> None:
        """Forget the newest hit."""
        times = self._times.get(key)
        if times:
            times.pop()

    def _drop_ended(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            key = self._ends[0][1]
            times = self._times[key]
            times[:] = [hit for hit in times if hit[1] > now]
            if times:
                heapreplace(self._ends, (times[-1][1], key))
            else:
                heappop(self._ends)
                del self._times[key]
