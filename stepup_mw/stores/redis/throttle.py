"""Failures, locks, the attempts of addresses and the hits of signals, as steps over connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

from ...errors import StoreUnavailable
from ...settings import AccountThrottle, AddressThrottle
from ...state import FOREVER, Attempt
from ..bounds import HITS_KEPT
from ..runs import Run, look, succeed
from .connections import Connections, Word
from .names import Names
from .records import format_number, format_run, parse_run

T = TypeVar("T")

_TRIES = 16
"""How often a run of spaced codes that another changed meanwhile is read again."""


class Throttle:
    """On a Cluster an account and an address lie apart: the address is counted first and given back if the account
    refuses. A crash in between leaves the address one attempt short, never one richer."""

    _connections: Connections
    _names: Names

    async def take_attempt(
        self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
    ) -> Attempt:
        return await self._guess(
            "take_attempt",
            (self._names.user(user),),
            address,
            (),
            now=now,
            account=account,
            limit=limit,
            read=to_attempt,
            allowed=lambda attempt: attempt.allowed,
        )

    async def _guess(
        self,
        name: str,
        keys: tuple[str, ...],
        address: str,
        more: tuple[Word, ...],
        *,
        now: float,
        account: AccountThrottle,
        limit: AddressThrottle,
        read: Callable[[Any], T],
        allowed: Callable[[T], bool],
    ) -> T:
        """Run a step that counts a guess before anything else; ``more`` are its own words."""
        full_until, member = "0", uuid4().hex
        window = (limit.failures, limit.window_s, member, HITS_KEPT)
        apart = bool(address) and self._connections.cluster
        if apart:
            full_until = await self._connections.run(
                "take_address", [self._names.address(address)], format_number(now), *window, read=bytes.decode
            )
        elif address:
            keys = (*keys, self._names.address(address))
        locks = (account.lock_s, format_number(account.grow), account.max_lock_s, account.ceiling, FOREVER)
        words = (format_number(now), max(account.failures, 1), *locks, full_until, *window, *more)
        answer = await self._connections.run(name, keys, *words, read=read, acknowledged=True)
        if apart and not allowed(answer) and float(full_until) == 0:
            await self._connections.call("ZREM", self._names.address(address), member, read=int)
        return answer

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

    async def unlock(self, user: str) -> bool:
        return await self._connections.run("clear", [self._names.user(user)], read=bool, acknowledged=True)

    async def spaced_attempt(self, user: str, slot: int) -> bool:
        """A look at a code of a locked account: counted before the comparison."""
        for _ in range(_TRIES):
            held = await self._run_of(user)
            if held is None:
                return False
            before, run = held
            after = look(run, slot)
            if after is None:
                return False
            if await self._swap(user, before, after):
                return True
        raise StoreUnavailable("too many look at this account at once")

    async def spaced_success(self, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
        for _ in range(_TRIES):
            held = await self._run_of(user)
            if held is None or not held[0]:
                return 0
            before, run = held
            after, count = succeed(run, step, now=now, needed=needed, within_s=within_s)
            if await self._swap(user, before, after):
                return count
        raise StoreUnavailable("too many look at this account at once")

    async def _run_of(self, user: str) -> tuple[bytes, Run] | None:
        """The run as it is kept, and read; None for an account without failures."""
        return await self._connections.call("HMGET", self._names.user(user), "failures", "run", read=_to_run)

    async def _swap(self, user: str, before: bytes, after: Run) -> bool:
        words = (before, format_run(after))
        keys = [self._names.user(user)]
        return await self._connections.run("swap_run", keys, *words, read=bool, acknowledged=True)

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        words = (format_number(now), window_s, uuid4().hex if record else "", HITS_KEPT)
        return await self._connections.run("hits", [self._names.hits(key)], *words, read=int)


def to_attempt(answer: list[Any]) -> Attempt:
    allowed, failures, locked_until, locks = answer
    return Attempt(allowed=bool(allowed), failures=failures, locked_until=float(locked_until), locks=bool(locks))


def _to_failures(held: list[bytes | None]) -> tuple[int, float]:
    failures, locked_until = held
    return int(failures or 0), float(locked_until or 0)


def _to_run(held: list[bytes | None]) -> tuple[bytes, Run] | None:
    failures, run = held
    if failures is None:
        return None
    return (run, parse_run(run)) if run else (b"", Run())
