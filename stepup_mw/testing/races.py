"""Promises of "once" and "at most", kept against a crowd: 64 callers on one event loop, and 16 on each of four."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from ..state import Store
from .promises import Check, promise, same
from .records import ADDRESS, attempt, keep_grant, make_challenge, make_factor, make_grant, put_grant, use

Call = Callable[[], Awaitable[Any]]
Crowd = Callable[[Call], Awaitable[list[Any]]]


async def one_loop(call: Call) -> list[Any]:
    return list(await asyncio.gather(*(call() for _ in range(64))))


async def four_loops(call: Call) -> list[Any]:
    async def part() -> list[Any]:
        return list(await asyncio.gather(*(call() for _ in range(16))))

    parts = await asyncio.gather(*(asyncio.to_thread(lambda: asyncio.run(part())) for _ in range(4)))
    return [found for each in parts for found in each]


def race(check: Callable[[Store, Crowd], Awaitable[None]]) -> Callable[[Store, Crowd], Awaitable[None]]:
    """Two promises: one a crowd."""
    for crowd in (one_loop, four_loops):
        promise(_against(check, crowd))
    return check


def _against(check: Callable[[Store, Crowd], Awaitable[None]], crowd: Crowd) -> Check:
    @wraps(check)
    async def run(store: Store) -> None:
        await check(store, crowd)

    run.__name__ = f"{check.__name__}_on_{getattr(crowd, '__name__', 'loops')}"
    return run


@race
async def one_takes_the_step(store: Store, crowd: Crowd) -> None:
    """Of 64 submissions of one code, one takes its step."""
    await store.put_factor(make_factor(), [])
    same(sum(map(bool, await crowd(lambda: store.consume_step("alice", "f1", 77)))), 1, "who took it")


@race
async def one_takes_the_recovery_code(store: Store, crowd: Crowd) -> None:
    """Of 64 submissions of one recovery code, one takes it."""
    await store.put_factor(make_factor(), ["r1", "r2"])
    same(sum(map(bool, await crowd(lambda: store.consume_recovery("alice", "r1")))), 1, "who took it")
    same(await store.recovery_left("alice"), 1)


@race
async def the_budget_holds(store: Store, crowd: Crowd) -> None:
    """Of 64 wrong codes at once, five are looked at, and one begins the lock."""
    found = await crowd(lambda: attempt(store, "alice", "ip", now=1000.0))
    allowed = sorted((each.failures, each.locks) for each in found if each.allowed)
    same(allowed, [(1, False), (2, False), (3, False), (4, False), (5, True)])
    same(await store.failures("alice"), (5, 1030.0))


@race
async def an_address_holds(store: Store, crowd: Crowd) -> None:
    """64 users of one address share its budget."""
    names = iter(range(64))
    found = await crowd(lambda: attempt(store, f"u{next(names)}", "ip", now=1000.0))
    same(sum(each.allowed for each in found), ADDRESS.failures, "who was allowed")


@race
async def one_settles(store: Store, crowd: Crowd) -> None:
    """Of 64 who settle a challenge, one does."""
    await store.open_challenge(make_challenge(), keep=3)
    found = await crowd(lambda: store.settle_challenge("c1", "approved", now=1001.0))
    same(sum(map(bool, found)), 1, "who settled it")


@race
async def one_uses_the_grant(store: Store, crowd: Crowd) -> None:
    """A grant for one use is used once."""
    await keep_grant(store, make_grant(uses_left=1))
    same(sum(await crowd(lambda: use(store, "g1"))), 1, "who used it")


@race
async def one_of_those_it_fits_uses_the_grant(store: Store, crowd: Crowd) -> None:
    """Of 64 who would use a grant, half of them on terms that it is not, one of the other half does."""
    await keep_grant(store, make_grant(uses_left=1))
    numbers, others = iter(range(64)), ({"binding": "other"}, {"session": "s2"}, {"rule": "wire"}, {"now": 9999.0})

    async def one() -> tuple[bool, bool]:
        number = next(numbers)
        fits = number % 2 == 0
        return fits, await use(store, "g1", **({} if fits else others[number // 2 % 4]))

    found = await crowd(one)
    same((sum(used for fits, used in found if fits), [used for fits, used in found if not fits]), (1, [False] * 32))


@race
async def one_is_given_what_is_due(store: Store, crowd: Crowd) -> None:
    """What is due is given to one of 64 who ask, and all of it is given."""
    for number in range(10):
        await store.open_challenge(make_challenge(f"over{number}"), keep=99)
        await store.open_challenge(make_challenge(f"lost{number}"), keep=99)
        await store.settle_challenge(f"lost{number}", "denied", now=1001.0)
    found = await crowd(lambda: store.due_challenges(now=1400.0, grace_s=10.0, limit=3))
    given = sorted(each.challenge_id for some in found for each in some)
    same(given, sorted(f"{kind}{number}" for kind in ("over", "lost") for number in range(10)))


@race
async def the_cap_of_challenges_holds(store: Store, crowd: Crowd) -> None:
    """64 challenges at once leave as many open as the cap says, and each other one is given back once."""
    names = iter(range(64))
    found = await crowd(lambda: store.open_challenge(make_challenge(f"c{next(names)}"), keep=3))
    evicted = [each.challenge_id for some in found for each in some]
    same((len(evicted), len(set(evicted))), (61, 61))


@race
async def hits_are_numbered_once(store: Store, crowd: Crowd) -> None:
    """Each of 64 hits is counted."""
    found = await crowd(lambda: store.hits("k", now=100.0, window_s=60, record=True))
    same(sorted(found), list(range(1, 65)))


@race
async def all_see_one_epoch(store: Store, crowd: Crowd) -> None:
    """64 who ask for a user's first epoch are told the same number."""
    same(len(set(await crowd(lambda: store.epoch("alice")))), 1, "how many epochs")


@race
async def one_looks_at_a_slot(store: Store, crowd: Crowd) -> None:
    """Of 64 codes of a locked account in one time step, one is looked at."""
    await attempt(store, now=1000.0)
    same(sum(map(bool, await crowd(lambda: store.spaced_attempt("alice", 40)))), 1, "who looked")


@race
async def no_grant_survives_a_raised_epoch(store: Store, crowd: Crowd) -> None:
    """Grants that arrive while the epoch is raised are dead after it."""
    epoch, names = await store.epoch("alice"), iter(range(64))

    async def put_or_raise() -> object:
        number = next(names)
        if number == 32:
            return await store.raise_epoch("alice")
        return await put_grant(store, make_grant(f"g{number}", epoch=epoch), keep=99)

    await crowd(put_or_raise)
    same(await store.grants("alice", now=1001.0), (), "grants that are left")
