"""``redis://``: the state of many machines. What a step does stands in ``lua/``, one script an atomic step.

Time comes in with each call and never from the server. Every key that is not somebody's factor, count of failures
or the list of names ends by itself. What the server may lose, and what follows:

* The record of a user holds factor, last step, recovery codes, failures and sightings in one key: who loses the
  count of guesses has lost the secret they are guesses at. Nothing that is lost, evicted or flushed opens a door.
* ``maxmemory-policy noeviction`` is expected: a full server then refuses (503) and forgets nothing. Any other
  policy drops records, each whole; that keys were evicted is a loss (``evicted``), known within a second. It may also
  drop an address's count of attempts. The first step of a process looks, and warns.
* Replication is asynchronous: a replica that is promoted may lack the last moments of its master, and a code used
  in them could be used again within its window. ``?wait=1`` makes every step that takes something away wait for so
  many replicas, in the same round trip, and refuse without them; with ``min-replicas-to-write 1`` on the server an
  old master that was cut off stops to take writes. ``appendonly yes`` does the same for a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...settings import AccountThrottle, AddressThrottle
from ...state import (
    MAX_FACTORS,
    Attempt,
    Challenge,
    ChallengeState,
    Factor,
    Grant,
    Kept,
    Loss,
    Place,
    Sighting,
    SightingKind,
    UserSummary,
)
from ..lives import loss_of
from ..removals import noting
from ..witness import Watch
from .challenges import Challenges
from .connections import Connections
from .factors import Factors
from .grants import Grants
from .kept import Requests
from .life import Lives
from .location import parse_location
from .names import Names
from .throttle import Throttle


class RedisStore:
    """The Store protocol; what each method promises stands there.

    url: see ``location``. Unsupported: no such URL. MissingExtra: redis-py is not installed. Connects at first use,
    from as many event loops, threads and forked processes as there are. witness: a file by which a loss is known beyond
    this process. clock: Unix seconds.
    """

    def __init__(self, url: str, *, witness: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        location = parse_location(url)
        names = Names(location.prefix)
        self._names = names
        watch = Watch(witness, clock)
        self._removals = watch.removals
        self._connections = Connections(location, Lives(names, watch))
        self._factors = Factors(self._connections, names)
        self._throttle = Throttle(self._connections, names)
        self._challenges = Challenges(self._connections, names)
        self._grants = Grants(self._connections, names)
        self._kept = Requests(self._connections, names)

    # Factors

    async def factors(self, user: str) -> tuple[Factor, ...]:
        return await self._factors.of(user)

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        return await noting(self, self._removals, factor.user, lambda: self._factors.put(factor, recovery))

    async def add_factor(self, factor: Factor, *, keep: int = MAX_FACTORS) -> bool:
        return await self._factors.add(factor, keep=keep)

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        return await noting(self, self._removals, user, lambda: self._factors.remove_one(user, factor_id))

    async def remove_factors(self, user: str) -> int:
        return await noting(self, self._removals, user, lambda: self._factors.remove(user))

    async def users(self) -> tuple[UserSummary, ...]:
        return await self._factors.users()

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        return await self._factors.consume_step(user, factor_id, step, drift=drift)

    async def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        return await self._factors.replace_sealed(user, factor_id, sealed, expected=expected)

    async def put_recovery(self, user: str, digests: Sequence[str]) -> None:
        await self._factors.put_recovery(user, digests)

    async def consume_recovery(self, user: str, digest: str) -> bool:
        return await self._factors.consume_recovery(user, digest)

    async def recovery_left(self, user: str) -> int:
        return await self._factors.recovery_left(user)

    # Throttle

    async def take_attempt(
        self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
    ) -> Attempt:
        return await self._throttle.take(user, address, now=now, account=account, limit=limit)

    async def forgive(self, user: str, address: str) -> None:
        await self._throttle.forgive(user, address)

    async def failures(self, user: str) -> tuple[int, float]:
        return await self._throttle.failures(user)

    async def unlock(self, user: str) -> bool:
        return await self._throttle.clear(user)

    async def spaced_attempt(self, user: str, slot: int) -> bool:
        return await self._throttle.look(user, slot)

    async def spaced_success(self, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
        return await self._throttle.succeed(user, step, now=now, needed=needed, within_s=within_s)

    # Challenges

    async def open_challenge(self, challenge: Challenge, *, keep: int) -> tuple[Challenge, ...]:
        return await self._challenges.open(challenge, keep=keep)

    async def challenge(self, challenge_id: str) -> Challenge | None:
        return await self._challenges.get(challenge_id)

    async def latest_challenge(
        self, user: str, session: str, rule: str, binding: str, *, now: float
    ) -> Challenge | None:
        return await self._challenges.latest(user, session, rule, binding, now=now)

    async def count_attempt(self, challenge_id: str, *, limit: int) -> int | None:
        return await self._challenges.count_attempt(challenge_id, limit=limit)

    async def settle_challenge(self, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
        return await self._challenges.settle(challenge_id, state, now=now)

    async def mark_logged(self, challenge_id: str) -> None:
        await self._challenges.mark_logged(challenge_id)

    async def due_challenges(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        return await self._challenges.due(now=now, grace_s=grace_s, limit=limit)

    # Requests kept for after the code

    async def keep_request(self, kept: Kept, *, now: float, limit: int) -> None:
        await self._kept.keep(kept, now=now, limit=limit)

    async def kept_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        return await self._kept.get(user, kept_id, now=now)

    async def take_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        return await self._kept.take(user, kept_id, now=now)

    # Grants

    async def epoch(self, user: str) -> int:
        return await self._grants.epoch(user, end=False)

    async def raise_epoch(self, user: str) -> int:
        return await self._grants.epoch(user, end=True)

    async def put_grant(self, grant: Grant, *, keep: int) -> bool:
        return await self._grants.put(grant, keep=keep)

    async def grant(self, grant_id: str) -> Grant | None:
        return await self._grants.get(grant_id)

    async def use_grant(self, grant_id: str) -> bool:
        return await self._grants.use(grant_id)

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        return await self._grants.of(user, now=now)

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        return await self._grants.revoke(user, grant_id)

    # What signals remember

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting:
        return await self._factors.sighting(user, kind, value)

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        await self._factors.remember(user, kind, value, now=now, keep=keep)

    async def forget_sighting(self, user: str, kind: SightingKind, value: str) -> bool:
        return await self._factors.forget_sighting(user, kind, value)

    async def place(self, user: str) -> Place | None:
        return await self._factors.place(user)

    async def put_place(self, user: str, sealed: bytes, *, now: float) -> None:
        await self._factors.put_place(user, sealed, now=now)

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        return await self._throttle.hits(key, now=now, window_s=window_s, record=record)

    # What was lost

    async def loss(self) -> Loss | None:
        return loss_of(await self._connections.look())

    async def accept_loss(self) -> bool:
        missed = await self._factors.miss_nobody()
        return await self._connections.run("accept_loss", [self._names.life], read=bool) or missed

    async def missed(self, user: str) -> bool:
        return await self.loss() is not None or await self._factors.missed(user)

    # Life

    async def aclose(self) -> None:
        """Give the connections of this process back. A later step opens them again."""
        await self._connections.aclose()
