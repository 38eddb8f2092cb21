"""The three steps of a code for a challenge, over the parts of the store in memory."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ...state import Earned, Given, Guess, Kept, Place, Right, Sighting, Taken, Tried
from .challenges import Challenges
from .factors import Factors
from .grants import Grants
from .hits import Hits
from .kept import Requests
from .sightings import Sightings
from .throttle import Throttle


class Codes:
    _factors: Factors
    _throttle: Throttle
    _challenges: Challenges
    _grants: Grants
    _sightings: Sightings
    _hits: Hits
    _kept: Requests
    _step: Callable[[], Lock]

    async def try_challenge(self, guess: Guess) -> Tried:
        challenge_id, user, address, now, attempts, account, limit = guess
        with self._step():
            attempt = self._throttle.take(user, address, now=now, account=account, limit=limit)
            number = self._challenges.count_attempt(challenge_id, user, limit=attempts) if attempt.allowed else None
            if number is None:
                return Tried(attempt)
            return Tried(attempt, number, self._grants.epoch(user), self._factors.of(user))

    async def take_code(self, right: Right) -> Taken:
        user, challenge_id = right.user, right.challenge_id
        with self._step():
            if self._hits.since(right.told, right.at - right.told_s):
                return Taken(taken=False)
            if not self._factors.take_step(user, right.factor_id, right.step, drift=right.drift):
                return Taken(taken=False)
            settled = self._challenges.is_of(challenge_id, user) and self._challenges.settle(
                challenge_id, "approved", now=right.at
            )
            return Taken(taken=True, settled=settled)

    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        user, challenge_id = earned.user, earned.challenge_id
        with self._step():
            granted = earned.grant is not None and self._grants.put(earned.grant, keep=keep_grants)
            self._throttle.forgive(user, earned.address)
            if self._challenges.is_of(challenge_id, user):
                self._challenges.mark_logged(challenge_id)
            return Given(
                granted=granted,
                epoch=self._grants.current(user),
                device=self._remember(earned, keep=keep_seen),
                kept=self._take_kept(earned),
            )

    def _remember(self, earned: Earned, *, keep: int) -> Sighting:
        """How the device was known before."""
        before = self._sightings.get(earned.user, "device", earned.device)
        device = (("device", earned.device),) if earned.device else ()
        for kind, value in (*device, *earned.seen):
            self._sightings.remember(earned.user, kind, value, now=earned.at, keep=keep)
        if earned.place:
            self._sightings.put_place(earned.user, Place(sealed=earned.place, at=earned.at))
        return before

    def _take_kept(self, earned: Earned) -> Kept | None:
        return self._kept.take(earned.user, earned.challenge_id, now=earned.at) if earned.kept else None
