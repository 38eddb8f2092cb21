"""``sqlite:///``: the state of one host, shared by its processes through a file.

Reads run where they are called, without a hop; writes leave the event loop. What a step does stands in the modules
beside this one, how it becomes atomic and durable in ``database``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from sqlite3 import Connection

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
from ..lives import Found, Life, loss_of
from ..removals import noting
from . import challenges, factors, grants, life, throttle
from . import kept as kept_requests
from .codes import Codes
from .database import Database, Row


class SqliteStore(Codes):
    """The Store protocol; what each method promises stands there.

    wait_s: how long a write waits for its turn, and then for other processes, before it is StoreUnavailable.
    witness: a file elsewhere by which a loss is known, too. clock: Unix seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        wait_s: float = 2.0,
        witness: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = Database(path, lambda absolute: life.Lives(absolute, witness, clock), wait_s=wait_s)

    # Factors

    async def factors(self, user: str) -> tuple[Factor, ...]:
        return self._db.all(factors.to_factor, factors.FACTORS, user)

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        step = partial(self._db.write, factors.put_factor, factor, recovery)
        return await noting(self, self._db.lives.removals, factor.user, step)

    async def add_factor(self, factor: Factor, *, keep: int = MAX_FACTORS) -> bool:
        return await self._db.write(factors.add_factor, factor, keep=keep)

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        step = partial(self._db.write, factors.remove_factor, user, factor_id)
        return await noting(self, self._db.lives.removals, user, step)

    async def remove_factors(self, user: str) -> int:
        step = partial(self._db.write, factors.remove_factors, user)
        return await noting(self, self._db.lives.removals, user, step)

    async def users(self) -> tuple[UserSummary, ...]:
        return self._db.all(factors.to_summary, factors.USERS)

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        return await self._db.write(factors.consume_step, user, factor_id, step, drift=drift)

    async def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        return await self._db.write(factors.replace_sealed, user, factor_id, sealed, expected=expected)

    async def put_recovery(self, user: str, digests: Sequence[str]) -> None:
        await self._db.write(factors.put_recovery, user, digests)

    async def consume_recovery(self, user: str, digest: str) -> bool:
        return await self._db.write(factors.consume_recovery, user, digest)

    async def recovery_left(self, user: str) -> int:
        return self._db.one(_count, factors.RECOVERY_LEFT, user) or 0

    # Throttle

    async def take_attempt(
        self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
    ) -> Attempt:
        return await self._db.write(throttle.take_attempt, user, address, now=now, account=account, limit=limit)

    async def forgive(self, user: str, address: str) -> None:
        await self._db.write(throttle.forgive, user, address)

    async def failures(self, user: str) -> tuple[int, float]:
        return self._db.one(throttle.to_failures, throttle.FAILURES, user) or (0, 0.0)

    async def unlock(self, user: str) -> bool:
        return await self._db.write(throttle.clear, user)

    async def spaced_attempt(self, user: str, slot: int) -> bool:
        return await self._db.write(throttle.spaced_attempt, user, slot)

    async def spaced_success(self, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
        return await self._db.write(throttle.spaced_success, user, step, now=now, needed=needed, within_s=within_s)

    # Challenges

    async def open_challenge(
        self, challenge: Challenge, *, keep: int, kinds: Collection[FactorKind] | None = None
    ) -> tuple[Challenge, ...] | None:
        return await self._db.write(challenges.open_challenge, challenge, keep=keep, kinds=kinds)

    async def challenge(self, challenge_id: str) -> Challenge | None:
        return self._db.one(challenges.to_challenge, challenges.CHALLENGE, challenge_id)

    async def latest_challenge(
        self, user: str, session: str, rule: str, binding: str, *, now: float
    ) -> Challenge | None:
        return self._db.one(challenges.to_challenge, challenges.LATEST, user, session, rule, binding, now)

    async def settle_challenge(self, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
        return await self._db.write(challenges.settle_challenge, challenge_id, state, now=now)

    async def mark_logged(self, challenge_id: str) -> None:
        await self._db.write(challenges.mark_logged, challenge_id)

    async def due_challenges(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        return await self._db.write(challenges.due_challenges, now=now, grace_s=grace_s, limit=limit)

    # Requests kept for after the code

    async def keep_request(self, kept: Kept, *, now: float, limit: int) -> None:
        await self._db.write(kept_requests.keep, kept, now=now, limit=limit)

    async def kept_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        return self._db.one(kept_requests.to_kept, kept_requests.KEPT, user, kept_id, now)

    async def take_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        return await self._db.write(kept_requests.take, user, kept_id, now=now)

    # Grants

    async def epoch(self, user: str) -> int:
        found = self._db.one(_count, grants.EPOCH, user)
        return found if found is not None else await self._db.write(grants.begin_epoch, user)

    async def raise_epoch(self, user: str) -> int:
        return await self._db.write(grants.raise_epoch, user)

    async def grant(self, grant_id: str) -> Grant | None:
        return self._db.one(grants.to_grant, grants.GRANT, grant_id)

    async def shown(self, user: str, device: str, grant_ids: Sequence[str]) -> Shown:
        if not device and len(grant_ids) == 1:  # most requests of clients without cookies
            return Shown(known=False, grants=(await self.grant(grant_ids[0]),))
        rows = self._db.all(tuple, grants.shown(len(grant_ids)), user, device, *grant_ids)
        return grants.to_shown(rows, device, grant_ids)

    async def use_grant(self, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
        """Nothing is written, and nobody waited for, where a look says that there is nothing to take."""
        found = await self.shown(user, device, [each.grant_id for each in carried])
        if grants.takeable(carried, found.grants, terms) is None:
            return found
        return await self._db.write(grants.use_grant, user, device, carried, terms)

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        return self._db.all(grants.to_grant, grants.GRANTS, user, now)

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        return await self._db.write(grants.revoke_grants, user, grant_id)

    # What signals remember

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting:
        asked = (user, kind, value, user, kind)
        return self._db.one(grants.to_sighting, grants.SIGHTING, *asked) or Sighting(known=False, any=False)

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        await self._db.write(grants.remember, user, kind, value, now=now, keep=keep)

    async def forget_sighting(self, user: str, kind: SightingKind, value: str) -> bool:
        return await self._db.write(grants.forget_sighting, user, kind, value)

    async def place(self, user: str) -> Place | None:
        return self._db.one(grants.to_place, grants.PLACE, user)

    async def put_place(self, user: str, sealed: bytes, *, now: float) -> None:
        await self._db.write(grants.put_place, user, sealed, now=now)

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        if record:
            return await self._db.write(throttle.record_hit, key, now=now, window_s=window_s)
        count = self._db.one(_count, throttle.HITS, throttle.hit_key(key), now - window_s) or 0
        return min(count + 1, HITS_KEPT)

    # What was lost

    async def loss(self) -> Loss | None:
        found = self._db.one(self._judged, life.LIFE)
        if found is not None and found[0] is not None:
            await self._db.write(self._end)
            found = self._db.one(self._judged, life.LIFE)
        return loss_of(found[1]) if found is not None else None

    def _judged(self, row: Row) -> tuple[Found | None, Life]:
        held = life.to_life(row)
        return self._db.lives.look_at(held), held

    def _end(self, db: Connection) -> None:
        found = self._db.lives.look(db)
        if found is not None:
            self._db.lives.end(db, found)

    async def accept_loss(self) -> bool:
        return await self._db.write(life.accept)

    async def missed(self, user: str) -> bool:  # noqa: ARG002 - what is lost here is lost for all
        return await self.loss() is not None

    # Life

    async def aclose(self) -> None:
        """Give the connections of this process back. A later call opens them again."""
        self._db.close()


def _count(row: Row) -> int:
    return int(row[0])
