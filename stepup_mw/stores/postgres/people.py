"""Factors, recovery codes, sightings and the throttle, as steps over connections."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from ...errors import StoreUnavailable
from ...settings import AccountThrottle, AddressThrottle
from ...state import FOREVER, MAX_FACTORS, Attempt, Factor, Place, Sighting, SightingKind, UserSummary
from ..bounds import HITS_KEPT, lock_until
from ..runs import Run, look, succeed
from .connections import Connections, Row

_FACTORS = """SELECT who, factor_id, sealed, created_at, last_step, label, drift FROM {s}.factor
    WHERE who = %s ORDER BY created_at, arrived"""
_USERS = """SELECT f.who, count(*), min(f.created_at),
    (SELECT count(*) FROM {s}.recovery r WHERE r.who = f.who),
    coalesce((SELECT failures FROM {s}.account a WHERE a.who = f.who), 0),
    coalesce((SELECT locked_until FROM {s}.account a WHERE a.who = f.who), 0)
    FROM {s}.factor f GROUP BY f.who ORDER BY f.who"""
_TRIES = 16
"""How often a run of spaced codes that another changed meanwhile is read again."""
_LOCKS = 100
"""Locks that grow; one more lasts as long as the last of them, and that is the longest there is long before."""


class Factors:
    _connections: Connections

    async def factors(self, user: str) -> tuple[Factor, ...]:
        return tuple(to_factor(row) for row in await self._connections.all(_FACTORS, pack(user)))

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        step = "SELECT had, raised FROM {s}.put_factor(%s, %s, %s, %s, %s, %s, %s, %s::bytea[])"
        codes = [pack(code) for code in recovery]
        return bool(await self._connections.spend(step, *_columns(factor), codes))

    async def add_factor(self, factor: Factor, *, keep: int = MAX_FACTORS) -> bool:
        step = "SELECT {s}.add_factor(%s, %s, %s, %s, %s, %s, %s, %s)"
        return await self._connections.spent(step, *_columns(factor), keep)

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        return await self._connections.spent("SELECT {s}.remove_factor(%s, %s)", pack(user), pack(factor_id))

    async def remove_factors(self, user: str) -> int:
        step = "SELECT removed, raised FROM {s}.remove_factors(%s, true)"
        return int(await self._connections.spend(step, pack(user)))

    async def users(self) -> tuple[UserSummary, ...]:
        return tuple(_to_summary(row) for row in await self._connections.all(_USERS))

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        taken = "SELECT {s}.consume_step(%s, %s, %s, %s)"
        return await self._connections.spent(taken, pack(user), pack(factor_id), step, drift)

    async def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        replaced = await self._connections.one(
            "UPDATE {s}.factor SET sealed = %s WHERE who = %s AND factor_id = %s AND sealed = %s RETURNING 1",
            *(sealed, pack(user), pack(factor_id), expected),
        )
        return replaced is not None

    async def put_recovery(self, user: str, digests: Sequence[str]) -> None:
        codes = [pack(code) for code in digests]
        await self._connections.spent("SELECT {s}.put_recovery(%s, %s::bytea[])", pack(user), codes)

    async def consume_recovery(self, user: str, digest: str) -> bool:
        return await self._connections.spent("SELECT {s}.consume_recovery(%s, %s)", pack(user), pack(digest))

    async def recovery_left(self, user: str) -> int:
        return int(await self._connections.value("SELECT count(*) FROM {s}.recovery WHERE who = %s", pack(user)))

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting:
        found = await self._connections.one(
            "SELECT coalesce(bool_or(value = %s), false), count(*) > 0 FROM {s}.sighting WHERE who = %s AND kind = %s",
            *(pack(value), pack(user), kind),
        )
        known, some = found or (False, False)
        return Sighting(known=known, any=some)

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        step = "SELECT {s}.remember(%s, %s, %s, %s, %s)"
        await self._connections.all(step, pack(user), kind, pack(value), float(now), keep)

    async def forget_sighting(self, user: str, kind: SightingKind, value: str) -> bool:
        step = "DELETE FROM {s}.sighting WHERE who = %s AND kind = %s AND value = %s RETURNING 1"
        return await self._connections.one(step, pack(user), kind, pack(value)) is not None

    async def place(self, user: str) -> Place | None:
        step = "SELECT value, at FROM {s}.sighting WHERE who = %s AND kind = 'place'"
        row = await self._connections.one(step, pack(user))
        return Place(sealed=row[0], at=row[1]) if row else None

    async def put_place(self, user: str, sealed: bytes, *, now: float) -> None:
        step = "SELECT {s}.remember(%s, 'place', %s, %s, 1)"
        await self._connections.all(step, pack(user), sealed, float(now))


class Throttle:
    _connections: Connections

    async def take_attempt(
        self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
    ) -> Attempt:
        allowed, failures, locked_until, locks = await self._connections.spend_row(
            """SELECT allowed, count, until_s, begins, raised
            FROM {s}.take_attempt(%s, %s, %s, %s, %s::text::float8[], %s, %s, %s, %s, %s)""",
            *(pack(user), pack_address(address), float(now), *pack_limits(account, limit)),
        )
        return Attempt(allowed=allowed, failures=failures, locked_until=locked_until, locks=locks)

    async def forgive(self, user: str, address: str) -> None:
        await self._connections.all("SELECT {s}.forgive(%s, %s)", pack(user), pack_address(address))

    async def failures(self, user: str) -> tuple[int, float]:
        row = await self._connections.one("SELECT failures, locked_until FROM {s}.account WHERE who = %s", pack(user))
        return (row[0], row[1]) if row else (0, 0.0)

    async def unlock(self, user: str) -> bool:
        return bool(await self._connections.value("SELECT {s}.clear(%s)", pack(user)))

    async def spaced_attempt(self, user: str, slot: int) -> bool:
        """A look at a code of a locked account: counted before the comparison."""
        for _ in range(_TRIES):
            before = await self._run_of(user)
            after = None if before is None else look(_to_run(before), slot)
            if before is None or after is None:
                return False
            if await self._swap(user, before, after):
                return True
        raise StoreUnavailable("too many look at this account at once")

    async def spaced_success(self, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
        for _ in range(_TRIES):
            before = await self._run_of(user)
            if not before:
                return 0
            after, count = succeed(_to_run(before), step, now=now, needed=needed, within_s=within_s)
            if await self._swap(user, before, after):
                return count
        raise StoreUnavailable("too many look at this account at once")

    async def _run_of(self, user: str) -> str | None:
        row = await self._connections.one("SELECT run FROM {s}.account WHERE who = %s", pack(user))
        return str(row[0]) if row else None

    async def _swap(self, user: str, before: str, after: Run) -> bool:
        run = f"{after.slot} {after.step} {after.count} {after.since!r} {int(after.pending)}"
        step = "UPDATE {s}.account SET run = %s WHERE who = %s AND run = %s RETURNING {s}.spend(who)"
        return await self._connections.spent(step, run, pack(user), before)

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        name = pack_hits(key)
        if record:
            step = "SELECT {s}.record_hit(%s, %s, %s, %s)"
            return int(await self._connections.value(step, name, float(now), window_s, HITS_KEPT))
        step = "SELECT count(*) + 1 FROM {s}.moment, unnest(times) AS t WHERE key = %s AND t > %s"
        return min(int(await self._connections.value(step, name, float(now - window_s))), HITS_KEPT)


def pack(text: str) -> bytes:
    """UTF-8. StoreUnavailable: text that is no Unicode."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StoreUnavailable(f"a record cannot be kept: {error.reason}") from error


@cache
def lock_lengths(account: AccountThrottle) -> str:
    """How long each lock lasts, from the first on, by the arithmetic of all stores: ``{30.0,60.0,3600.0}``, as
    PostgreSQL spells an array. The last one is the longest. To spell a hundred numbers at every step took longer than
    the step."""
    endless = AccountThrottle(
        failures=1, lock_s=account.lock_s, grow=account.grow, max_lock_s=account.max_lock_s, ceiling=FOREVER
    )
    lengths = [lock_until(number, now=0.0, account=endless) for number in range(1, _LOCKS + 1)]
    longest = lengths.index(lengths[-1])
    return f"{{{','.join(map(repr, lengths[: longest + 1]))}}}"


def pack_limits(account: AccountThrottle, limit: AddressThrottle) -> tuple[object, ...]:
    """As ``take_attempt`` has them in SQL."""
    locks = max(account.failures, 1), lock_lengths(account), account.ceiling, float(FOREVER)
    return (*locks, limit.failures, limit.window_s, HITS_KEPT)


def pack_address(address: str) -> bytes | None:
    return b"address:" + pack(address) if address else None


def pack_hits(key: str) -> bytes:
    return b"hit:" + pack(key)


def _columns(factor: Factor) -> tuple[object, ...]:
    texts = pack(factor.user), pack(factor.factor_id), factor.sealed
    return (*texts, float(factor.created_at), factor.last_step, pack(factor.label), factor.drift)


def to_factor(row: Row) -> Factor:
    who, factor_id, sealed, created_at, last_step, label, drift = row
    return Factor(
        user=who.decode(),
        factor_id=factor_id.decode(),
        sealed=sealed,
        created_at=created_at,
        last_step=last_step,
        label=label.decode(),
        drift=drift,
    )


def _to_summary(row: Row) -> UserSummary:
    who, factors, created_at, recovery_codes, failures, locked_until = row
    return UserSummary(
        user=who.decode(),
        factors=factors,
        recovery_codes=recovery_codes,
        created_at=created_at,
        failures=failures,
        locked_until=locked_until,
    )


def _to_run(text: str) -> Run:
    if not text:
        return Run()
    slot, step, count, since, pending = text.split(" ")
    return Run(slot=int(slot), step=int(step), count=int(count), since=float(since), pending=pending == "1")
