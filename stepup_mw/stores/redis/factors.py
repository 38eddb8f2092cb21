"""Factors, recovery codes, sightings and the throttle, as steps over connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from ...settings import AccountThrottle, AddressThrottle
from ...state import FOREVER, Attempt, Factor, Sighting, SightingKind, UserSummary
from ..bounds import HITS_KEPT
from .connections import Connections, Word
from .names import Names, digest
from .records import count_codes, format_factor, format_number, parse_factors, parse_summary


class Factors:
    def __init__(self, connections: Connections, names: Names) -> None:
        self._connections = connections
        self._names = names

    async def of(self, user: str) -> tuple[Factor, ...]:
        return await self._connections.call("HGETALL", self._names.user(user), read=parse_factors)

    async def put(self, factor: Factor, recovery: Sequence[str]) -> bool:
        """The name is listed before the record is kept and once more after it, against a removal in between."""
        record = format_factor(factor)
        await self._list(factor.user)
        keys = (self._names.user(factor.user), self._names.grants(factor.user))
        words: tuple[Word, ...] = (factor.factor_id, record, factor.last_step, *recovery)
        before = await self._connections.run("put_factor", keys, *words, read=bool, acknowledged=True)
        await self._list(factor.user)
        return before

    async def remove(self, user: str) -> int:
        keys = (self._names.user(user), self._names.grants(user))
        count = await self._connections.run("remove_factors", keys, read=int, acknowledged=True)
        await self._connections.call("SREM", self._names.users, user, read=int)
        if await self.of(user):
            await self._list(user)
        return count

    async def _list(self, user: str) -> None:
        await self._connections.call("SADD", self._names.users, user, read=int)

    async def users(self) -> tuple[UserSummary, ...]:
        listed = await self._connections.call("SMEMBERS", self._names.users, read=_texts)
        found: list[UserSummary | None] = []
        for start in range(0, len(listed), 64):
            part = (self._summary(user) for user in listed[start : start + 64])
            found += await asyncio.gather(*part)
        return tuple(summary for summary in found if summary is not None)

    async def _summary(self, user: str) -> UserSummary | None:
        return await self._connections.call("HGETALL", self._names.user(user), read=parse_summary)

    async def consume_step(self, user: str, factor_id: str, step: int) -> bool:
        key = self._names.user(user)
        return await self._connections.run("consume_step", [key], factor_id, step, read=bool, acknowledged=True)

    async def consume_recovery(self, user: str, code: str) -> bool:
        return await self._connections.call(
            "HDEL", self._names.user(user), f"code:{code}", read=bool, acknowledged=True
        )

    async def recovery_left(self, user: str) -> int:
        return await self._connections.call("HKEYS", self._names.user(user), read=count_codes)

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting:
        words = (kind, digest(kind, value))
        return await self._connections.run("sighting", [self._names.user(user)], *words, read=_to_sighting)

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        words = (kind, digest(kind, value), format_number(now), keep)
        await self._connections.run("remember", [self._names.user(user)], *words, read=int)


class Throttle:
    """On a Cluster an account and an address lie apart: the address is counted first and given back if the account
    refuses. A crash in between leaves the address one attempt short, never one richer."""

    def __init__(self, connections: Connections, names: Names) -> None:
        self._connections = connections
        self._names = names

    async def take(
        self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
    ) -> Attempt:
        keys, full_until, member = [self._names.user(user)], "0", uuid4().hex
        window = (limit.failures, limit.window_s, member, HITS_KEPT)
        if address and self._connections.cluster:
            full_until = await self._connections.run(
                "take_address", [self._names.address(address)], format_number(now), *window, read=bytes.decode
            )
        elif address:
            keys.append(self._names.address(address))
        words = (
            format_number(now),
            max(account.failures, 1),
            account.lock_s,
            format_number(account.grow),
            account.max_lock_s,
            account.ceiling,
            FOREVER,
            full_until,
            *window,
        )
        attempt = await self._connections.run("take_attempt", keys, *words, read=_to_attempt, acknowledged=True)
        if address and self._connections.cluster and not attempt.allowed and float(full_until) == 0:
            await self._connections.call("ZREM", self._names.address(address), member, read=int)
        return attempt

    async def forgive(self, user: str, address: str) -> None:
        keys = [self._names.user(user)]
        if address and not self._connections.cluster:
            keys.append(self._names.address(address))
        await self._connections.run("forgive", keys, read=int)
        if address and self._connections.cluster:
            await self._connections.call("ZPOPMAX", self._names.address(address), read=list)

    async def failures(self, user: str) -> tuple[int, float]:
        return await self._connections.call(
            "HMGET", self._names.user(user), "failures", "locked_until", read=_to_failures
        )

    async def clear(self, user: str) -> bool:
        return await self._connections.call(
            "HDEL", self._names.user(user), "failures", "locked_until", read=bool, acknowledged=True
        )

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        words = (format_number(now), window_s, uuid4().hex if record else "", HITS_KEPT)
        return await self._connections.run("hits", [self._names.hits(key)], *words, read=int)


def _texts(members: Iterable[bytes]) -> list[str]:
    return sorted(name.decode() for name in members)


def _to_sighting(answer: list[int]) -> Sighting:
    known, some = answer
    return Sighting(known=bool(known), any=bool(some))


def _to_attempt(answer: list[Any]) -> Attempt:
    allowed, failures, locked_until, locks = answer
    return Attempt(allowed=bool(allowed), failures=failures, locked_until=float(locked_until), locks=bool(locks))


def _to_failures(held: list[bytes | None]) -> tuple[int, float]:
    failures, locked_until = held
    return int(failures or 0), float(locked_until or 0)
