"""Factors, recovery codes and sightings, as steps over connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from ...state import MAX_FACTORS, Factor, Place, Sighting, SightingKind, UserSummary
from .connections import Connections, Word
from .names import Names, digest
from .records import count_codes, format_factor, format_number, parse_factors, parse_summary

_PLACE = "seen:place:"
"""A field beside those of sightings: what takes them takes it."""


class Factors:
    _connections: Connections
    _names: Names

    async def factors(self, user: str) -> tuple[Factor, ...]:
        return await self._connections.call("HGETALL", self._names.user(user), read=parse_factors)

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        """The name is listed before the record is kept and once more after it, against a removal in between."""
        record = format_factor(factor)
        await self._list(factor.user)
        keys = (self._names.user(factor.user), self._names.grants(factor.user))
        words: tuple[Word, ...] = (factor.factor_id, record, factor.last_step, factor.drift, *recovery)
        before = await self._connections.run("put_factor", keys, *words, read=bool, acknowledged=True)
        await self._list(factor.user)
        await self._mark(factor.user)
        return before

    async def remove_factors(self, user: str) -> int:
        keys = (self._names.user(user), self._names.grants(user))
        count = await self._connections.run("remove_factors", keys, read=int, acknowledged=True)
        await self._unlist(user)
        return count

    async def add_factor(self, factor: Factor, *, keep: int = MAX_FACTORS) -> bool:
        record = format_factor(factor)
        await self._list(factor.user)
        keys = (self._names.user(factor.user), self._names.grants(factor.user))
        words = (factor.factor_id, record, factor.last_step, factor.drift, keep)
        added = await self._connections.run("add_factor", keys, *words, read=bool, acknowledged=True)
        await self._list(factor.user)
        await self._mark(factor.user)
        return added

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        keys = (self._names.user(user), self._names.grants(user))
        removed = await self._connections.run("remove_factor", keys, factor_id, read=bool, acknowledged=True)
        if removed and not await self.factors(user):
            await self._unlist(user)
        return removed

    async def _unlist(self, user: str) -> None:
        await self._connections.call("SREM", self._names.users, user, read=int)
        await self._connections.call("SREM", self._names.had, digest("user", user), read=int)
        if await self.factors(user):
            await self._list(user)
            await self._mark(user)

    async def _list(self, user: str) -> None:
        await self._connections.call("SADD", self._names.users, user, read=int)

    async def _mark(self, user: str) -> None:
        """Once the record is there, for it must not be missed before."""
        await self._connections.call("SADD", self._names.had, digest("user", user), read=int)

    async def missed(self, user: str) -> bool:
        return await self._connections.call("SISMEMBER", self._names.had, digest("user", user), read=bool)

    async def miss_nobody(self) -> bool:
        """Who is marked and has no record is missed no longer; whether there was anybody."""
        have = {digest("user", summary.user) for summary in await self.users()}
        marked = {mark.decode() for mark in await self._connections.call("SMEMBERS", self._names.had, read=set)}
        for mark in marked - have:
            await self._connections.call("SREM", self._names.had, mark, read=int)
        return bool(marked - have)

    async def users(self) -> tuple[UserSummary, ...]:
        listed = await self._connections.call("SMEMBERS", self._names.users, read=_texts)
        found: list[UserSummary | None] = []
        for start in range(0, len(listed), 64):
            part = (self._summary(user) for user in listed[start : start + 64])
            found += await asyncio.gather(*part)
        return tuple(summary for summary in found if summary is not None)

    async def _summary(self, user: str) -> UserSummary | None:
        return await self._connections.call("HGETALL", self._names.user(user), read=parse_summary)

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        words = (factor_id, step, drift)
        keys = [self._names.user(user)]
        return await self._connections.run("consume_step", keys, *words, read=bool, acknowledged=True)

    async def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        words = (factor_id, sealed, expected)
        keys = [self._names.user(user)]
        return await self._connections.run("replace_sealed", keys, *words, read=bool, acknowledged=True)

    async def put_recovery(self, user: str, digests: Sequence[str]) -> None:
        keys = [self._names.user(user)]
        await self._connections.run("put_recovery", keys, *digests, read=int, acknowledged=True)

    async def consume_recovery(self, user: str, code: str) -> bool:
        keys = [self._names.user(user)]
        return await self._connections.run("consume_recovery", keys, code, read=bool, acknowledged=True)

    async def recovery_left(self, user: str) -> int:
        return await self._connections.call("HKEYS", self._names.user(user), read=count_codes)

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting:
        words = (kind, digest(kind, value))
        return await self._connections.run("sighting", [self._names.user(user)], *words, read=_to_sighting)

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        words = (kind, digest(kind, value), format_number(now), keep)
        await self._connections.run("remember", [self._names.user(user)], *words, read=int)

    async def forget_sighting(self, user: str, kind: SightingKind, value: str) -> bool:
        field = f"seen:{kind}:{digest(kind, value)}"
        return await self._connections.call("HDEL", self._names.user(user), field, read=bool)

    async def place(self, user: str) -> Place | None:
        return await self._connections.call("HGET", self._names.user(user), _PLACE, read=_to_place)

    async def put_place(self, user: str, sealed: bytes, *, now: float) -> None:
        record = format_number(now).encode() + b" " + sealed
        await self._connections.call("HSET", self._names.user(user), _PLACE, record, read=int)


def _texts(members: Iterable[bytes]) -> list[str]:
    return sorted(name.decode() for name in members)


def _to_sighting(answer: list[int]) -> Sighting:
    known, some = answer
    return Sighting(known=bool(known), any=bool(some))


def _to_place(held: bytes | None) -> Place | None:
    if held is None:
        return None
    at, _, sealed = held.partition(b" ")
    return Place(sealed=sealed, at=float(at))
