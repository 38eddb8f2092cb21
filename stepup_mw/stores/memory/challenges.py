"""Challenges, in memory, from open to settled to logged. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count, islice

from ...errors import StoreUnavailable
from ...state import Challenge, ChallengeState
from ..bounds import SETTLED_KEPT, SETTLED_KEPT_S


@dataclass(slots=True)
class _Kept:
    """``order``: the place by insertion. ``claimed_at``: when someone last took on the outcome line."""

    challenge: Challenge
    order: int
    claimed_at: float

    @property
    def age(self) -> tuple[float, int]:
        return self.challenge.created_at, self.order

    def settle(self, state: ChallengeState, now: float) -> Challenge:
        self.challenge = self.challenge._replace(state=state, settled_at=now)
        self.claimed_at = now
        return self.challenge


class Challenges:
    """Every challenge is in ``_all``; the open, the settled and not logged, and the logged each have an index."""

    def __init__(self) -> None:
        self._all: dict[str, _Kept] = {}
        self._open: dict[str, _Kept] = {}
        self._open_of: dict[str, dict[str, _Kept]] = {}
        self._unlogged: dict[str, _Kept] = {}
        self._logged: list[tuple[float, str]] = []
        self._logged_of: dict[str, dict[str, _Kept]] = {}
        self._order = count()

    def __len__(self) -> int:
        return len(self._all)

    def get(self, challenge_id: str) -> Challenge | None:
        kept = self._all.get(challenge_id)
        return None if kept is None else kept.challenge

    def open(self, challenge: Challenge, *, keep: int) -> tuple[Challenge, ...]:
        if challenge.challenge_id in self._all:
            raise StoreUnavailable("there is a challenge of this id")
        others = sorted(self._open_of.get(challenge.user, {}).values(), key=lambda kept: kept.age)
        beyond = others[: max(len(others) - max(keep - 1, 0), 0)]
        kept = _Kept(challenge, next(self._order), challenge.settled_at)
        self._all[challenge.challenge_id] = self._open[challenge.challenge_id] = kept
        self._open_of.setdefault(challenge.user, {})[challenge.challenge_id] = kept
        self._drop_logged(challenge.user)
        return tuple(self._settle(old, "abandoned", challenge.created_at) for old in beyond)

    def latest(self, user: str, session: str, rule: str, binding: str, *, now: float) -> Challenge | None:
        wanted = (session, rule, binding)
        found = [
            kept
            for kept in self._open_of.get(user, {}).values()
            if (kept.challenge.session, kept.challenge.rule, kept.challenge.binding) == wanted
            and kept.challenge.expires_at > now
        ]
        return max(found, key=lambda kept: kept.age).challenge if found else None

    def is_of(self, challenge_id: str, user: str) -> bool:
        kept = self._all.get(challenge_id)
        return kept is not None and kept.challenge.user == user

    def count_attempt(self, challenge_id: str, user: str, *, limit: int) -> int | None:
        kept = self._open_of.get(user, {}).get(challenge_id)
        if kept is None or kept.challenge.attempts >= limit:
            return None
        kept.challenge = kept.challenge._replace(attempts=kept.challenge.attempts + 1)
        return kept.challenge.attempts

    def settle(self, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
        kept = self._open.get(challenge_id)
        if kept is None or state == "open":
            return False
        self._settle(kept, state, now)
        return True

    def mark_logged(self, challenge_id: str) -> None:
        kept = self._unlogged.pop(challenge_id, None)
        if kept is not None:
            kept.challenge = kept.challenge._replace(logged=True)
            heappush(self._logged, (kept.challenge.settled_at, challenge_id))
            self._logged_of.setdefault(kept.challenge.user, {})[challenge_id] = kept

    def due(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        over = sorted(
            (kept for kept in self._open.values() if kept.challenge.expires_at <= now),
            key=lambda kept: (kept.challenge.expires_at, kept.order),
        )[:limit]
        lost = sorted(
            (kept for kept in self._unlogged.values() if kept.claimed_at < now - grace_s),
            key=lambda kept: (kept.claimed_at, kept.order),
        )
        ended = [self._settle(kept, "expired" if kept.challenge.attempts else "abandoned", now) for kept in over]
        for kept in islice(lost, limit - len(ended)):
            kept.claimed_at = now
            ended.append(kept.challenge)
        while self._logged and self._logged[0][0] <= now - SETTLED_KEPT_S:
            self._drop(heappop(self._logged)[1])
        return tuple(ended)

    def _drop_logged(self, user: str) -> None:
        mine = self._logged_of.get(user, {})
        if len(mine) <= SETTLED_KEPT:
            return
        oldest = sorted(mine.values(), key=lambda kept: (kept.challenge.settled_at, kept.order))
        for kept in oldest[: len(mine) - SETTLED_KEPT]:
            self._drop(kept.challenge.challenge_id)
        self._logged = [entry for entry in self._logged if entry[1] in self._all]
        heapify(self._logged)

    def _drop(self, challenge_id: str) -> None:
        kept = self._all.pop(challenge_id)
        mine = self._logged_of[kept.challenge.user]
        del mine[challenge_id]
        if not mine:
            del self._logged_of[kept.challenge.user]

    def _settle(self, kept: _Kept, state: ChallengeState, now: float) -> Challenge:
        key, user = kept.challenge.challenge_id, kept.challenge.user
        del self._open[key]
        del self._open_of[user][key]
        if not self._open_of[user]:
            del self._open_of[user]
        self._unlogged[key] = kept
        return kept.settle(state, now)
