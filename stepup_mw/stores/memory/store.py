"""``memory://``: the state of one process, in plain dicts under one lock.

For development, tests and services of one process. It may be asked from several threads and event loops. It must
never be shared by two processes, and refuses to answer in the second (StoreUnavailable).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from threading import Lock

from ...settings import AccountThrottle, AddressThrottle
from ...state import (
    MAX_FACTORS,
    Attempt,
    Carried,
    Challenge,
    ChallengeState,
    Factor,
    FactorKind,
    Grant,
    Kept,
    Loss,
    Place,
    Shown,
    Sighting,
    SightingKind,
    Terms,
    UserSummary,
)
from ..bounds import HITS_KEPT
from ..workers import SoleProcess
from .challenges import Challenges
from .codes import Codes
from .factors import Factors
from .grants import Grants
from .hits import Hits
from .kept import Requests
from .sightings import Sightings
from .throttle import Throttle


class MemoryStore(Codes):
    """The Store protocol; what each method promises stands there."""

    def __init__(self) -> None:
        self._sole = SoleProcess()
        self._lock = Lock()
        self._factors = Factors()
        self._throttle = Throttle()
        self._challenges = Challenges()
        self._grants = Grants()
        self._sightings = Sightings()
        self._hits = Hits()
        self._kept = Requests()

    def _step(self) -> Lock:
        """The lock, to be entered by ``with``. StoreUnavailable in a process that must not answer."""
        self._sole.claim()
        return self._lock

    # Factors

    async def factors(self, user: str) -> tuple[Factor, ...]:
        with self._step():
            return self._factors.of(user)

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        with self._step():
            self._grants.end_epoch(factor.user)
            self._throttle.clear(factor.user)
            return self._factors.put(factor, recovery)

    async def add_factor(self, factor: Factor, *, keep: int = MAX_FACTORS) -> bool:
        with self._step():
            added = self._factors.add(factor, keep=keep)
            if added:
                self._grants.end_epoch(factor.user)
            return added

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        with self._step():
            removed = self._factors.remove_one(user, factor_id)
            if removed:
                self._grants.end_epoch(user)
            return removed

    async def remove_factors(self, user: str) -> int:
        with self._step():
            self._grants.end_epoch(user)
            self._sightings.forget(user)
            return self._factors.remove(user)

    async def users(self) -> tuple[UserSummary, ...]:
        with self._step():
            return tuple(
                UserSummary(
                    user=user,
                    factors=factors,
                    recovery_codes=codes,
                    created_at=created_at,
                    failures=self._throttle.failures(user)[0],
                    locked_until=self._throttle.failures(user)[1],
                )
                for user, factors, codes, created_at in self._factors.users()
            )

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        with self._step():
            return self._factors.consume_step(user, factor_id, step, drift=drift)

    async def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        with self._step():
            return self._factors.replace_sealed(user, factor_id, sealed, expected=expected)

    async def put_recovery(self, user: str, digests: Sequence[str]) -> None:
        with self._step():
            self._factors.put_recovery(user, digests)

    async def consume_recovery(self, user: str, digest: str) -> bool:
        with self._step():
            return self._factors.consume_recovery(user, digest)

    async def recovery_left(self, user: str) -> int:
        with self._step():
            return self._factors.recovery_left(user)

    # Throttle

    async def take_attempt(
        self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
    ) -> Attempt:
        with self._step():
            return self._throttle.take(user, address, now=now, account=account, limit=limit)

    async def forgive(self, user: str, address: str) -> None:
        with self._step():
            self._throttle.forgive(user, address)

    async def failures(self, user: str) -> tuple[int, float]:
        with self._step():
            return self._throttle.failures(user)

    async def unlock(self, user: str) -> bool:
        with self._step():
            return self._throttle.clear(user)

    async def spaced_attempt(self, user: str, slot: int) -> bool:
        with self._step():
            return self._throttle.look(user, slot)

    async def spaced_success(self, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
        with self._step():
            return self._throttle.succeed(user, step, now=now, needed=needed, within_s=within_s)

    # Challenges

    async def open_challenge(
        self, challenge: Challenge, *, keep: int, kinds: Collection[FactorKind] | None = None
    ) -> tuple[Challenge, ...] | None:
        with self._step():
            if kinds is not None and not any(each.proves(kinds) for each in self._factors.of(challenge.user)):
                return None
            return self._challenges.open(challenge, keep=keep)

    async def challenge(self, challenge_id: str) -> Challenge | None:
        with self._step():
            return self._challenges.get(challenge_id)

    async def latest_challenge(
        self, user: str, session: str, rule: str, binding: str, *, now: float
    ) -> Challenge | None:
        with self._step():
            return self._challenges.latest(user, session, rule, binding, now=now)

    async def settle_challenge(self, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
        with self._step():
            return self._challenges.settle(challenge_id, state, now=now)

    async def mark_logged(self, challenge_id: str) -> None:
        with self._step():
            self._challenges.mark_logged(challenge_id)

    async def due_challenges(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        with self._step():
            return self._challenges.due(now=now, grace_s=grace_s, limit=limit)

    # Requests kept for after the code

    async def keep_request(self, kept: Kept, *, now: float, limit: int) -> None:
        with self._step():
            self._kept.keep(kept, now=now, limit=limit)

    async def kept_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        with self._step():
            return self._kept.get(user, kept_id, now=now)

    async def take_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        with self._step():
            return self._kept.take(user, kept_id, now=now)

    # Grants

    async def epoch(self, user: str) -> int:
        with self._step():
            return self._grants.epoch(user)

    async def raise_epoch(self, user: str) -> int:
        with self._step():
            self._grants.end_epoch(user)
            return self._grants.epoch(user)

    async def grant(self, grant_id: str) -> Grant | None:
        with self._step():
            return self._grants.get(grant_id)

    async def shown(self, user: str, device: str, grant_ids: Sequence[str]) -> Shown:
        with self._step():
            return self._shown(user, device, grant_ids)

    async def use_grant(self, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
        with self._step():
            taken = self._grants.use(carried, terms)
            return self._shown(user, device, [each.grant_id for each in carried])._replace(taken=taken)

    def _shown(self, user: str, device: str, grant_ids: Sequence[str]) -> Shown:
        known = bool(device) and self._sightings.get(user, "device", device).known
        return Shown(known, tuple(map(self._grants.get, grant_ids)))

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        with self._step():
            return self._grants.of(user, now=now)

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        with self._step():
            return self._grants.end_epoch(user) if grant_id is None else self._grants.revoke(user, grant_id)

    # What signals remember

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting:
        with self._step():
            return self._sightings.get(user, kind, value)

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        with self._step():
            self._sightings.remember(user, kind, value, now=now, keep=keep)

    async def forget_sighting(self, user: str, kind: SightingKind, value: str) -> bool:
        with self._step():
            return self._sightings.forget_one(user, kind, value)

    async def place(self, user: str) -> Place | None:
        with self._step():
            return self._sightings.place(user)

    async def put_place(self, user: str, sealed: bytes, *, now: float) -> None:
        with self._step():
            self._sightings.put_place(user, Place(sealed=sealed, at=now))

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        with self._step():
            before = self._hits.since(key, now - window_s)
            if record:
                self._hits.add(key, now=now, window_s=window_s)
            return min(len(before) + 1, HITS_KEPT)

    # What was lost: with this process everything, and nothing outside would know

    async def loss(self) -> Loss | None:
        return None

    async def accept_loss(self) -> bool:
        return False

    async def missed(self, user: str) -> bool:  # noqa: ARG002 - see above
        return False

    # Life

    async def aclose(self) -> None:
        """Nothing to give back: the state lives as long as this object."""
