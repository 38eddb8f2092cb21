"""Grants and the epochs they live in, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import count

from ...errors import StoreUnavailable
from ...state import Carried, Grant, Terms
from ..epochs import draw_epoch

_SLACK = 16
"""Entries of grants that are gone, before the heap is made anew."""


class Grants:
    """``_ends`` may name a grant that is gone; it says when to look, no more."""

    def __init__(self) -> None:
        self._all: dict[str, tuple[Grant, int]] = {}
        self._of: dict[str, dict[str, None]] = {}
        self._ends: list[tuple[float, str]] = []
        self._order = count()
        self._epochs: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._all)

    def epoch(self, user: str) -> int:
        return self._epochs.setdefault(user, draw_epoch())

    def current(self, user: str) -> int:
        """The epoch; 0 where there is none."""
        return self._epochs.get(user, 0)

    def end_epoch(self, user: str) -> int:
        """Drop every grant of a user; how many there were."""
        self._epochs.pop(user, None)
        doomed = list(self._of.get(user, ()))
        for key in doomed:
            self._drop(key)
        return len(doomed)

    def get(self, grant_id: str) -> Grant | None:
        grant = self._all.get(grant_id, (None, 0))[0]
        return None if grant is None or grant.epoch != self._epochs.get(grant.user) else grant

    def put(self, grant: Grant, *, keep: int) -> bool:
        if grant.epoch != self._epochs.get(grant.user):
            return False
        if grant.grant_id in self._all:
            raise StoreUnavailable("there is a grant of this id")
        self._drop_expired(grant.proved_at)
        for old in self._newest_first(grant.user)[max(keep - 1, 0) :]:
            self._drop(old.grant_id)
        self._all[grant.grant_id] = (grant, next(self._order))
        self._of.setdefault(grant.user, {})[grant.grant_id] = None
        heappush(self._ends, (grant.expires_at, grant.grant_id))
        return True

    def use(self, carried: Sequence[Carried], terms: Terms) -> Grant | None:
        """The grant of which a use was taken, as it is since."""
        for grant_id, portable in carried:
            grant = self.get(grant_id)
            if grant is not None and grant.uses_left is not None and terms.take(grant, portable=portable):
                used = grant._replace(uses_left=grant.uses_left - 1)
                self._all[grant_id] = (used, self._all[grant_id][1])
                return used
        return None

    def of(self, user: str, *, now: float) -> tuple[Grant, ...]:
        return tuple(grant for grant in self._newest_first(user) if grant.expires_at > now)

    def revoke(self, user: str, grant_id: str) -> int:
        if grant_id not in self._of.get(user, ()):
            return 0
        self._drop(grant_id)
        return 1

    def _newest_first(self, user: str) -> list[Grant]:
        kept = [self._all[key] for key in self._of.get(user, ())]
        return [grant for grant, _ in sorted(kept, key=lambda pair: (-pair[0].proved_at, -pair[1]))]

    def _drop_expired(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            grant = self.get(heappop(self._ends)[1])
            if grant is not None and grant.expires_at <= now:
                self._drop(grant.grant_id)

    def _drop(self, grant_id: str) -> None:
        grant, _ = self._all.pop(grant_id)
        mine = self._of[grant.user]
        del mine[grant_id]
        if not mine:
            del self._of[grant.user]
        if len(self._ends) > 2 * len(self._all) + _SLACK:
            self._ends = [(kept.expires_at, key) for key, (kept, _) in self._all.items()]
            heapify(self._ends)
