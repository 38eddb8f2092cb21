"""Many callers at once, on one event loop and on several: each promise of "once" holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stepup_mw.state import Store

from .samples import ACCOUNT, ADDRESS, WIDE, keep_grant, make_challenge, make_factor, make_grant, try_challenge, use

Crowd = Callable[[Callable[[], Awaitable[Any]]], list[Any]]


def _one_loop(call: Callable[[], Awaitable[Any]]) -> list[Any]:
    async def crowd() -> list[Any]:
        return list(await asyncio.gather(*(call() for _ in range(64))))

    return asyncio.run(crowd())


def _many_loops(call: Callable[[], Awaitable[Any]]) -> list[Any]:
    async def crowd() -> list[Any]:
        return list(await asyncio.gather(*(call() for _ in range(16))))

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(asyncio.run, crowd()) for _ in range(4)]
        return [result for future in futures for result in future.result()]


@pytest.fixture(params=[_one_loop, _many_loops], ids=["one loop", "four loops"])
def crowd(request: pytest.FixtureRequest) -> Crowd:
    made: Crowd = request.param
    return made


def test_one_of_64_takes_the_step(store: Store, crowd: Crowd) -> None:
    asyncio.run(store.put_factor(make_factor(), []))
    assert sum(map(bool, crowd(lambda: store.consume_step("alice", "f1", 77)))) == 1


def test_one_of_64_takes_the_recovery_code(store: Store, crowd: Crowd) -> None:
    asyncio.run(store.put_factor(make_factor(), ["r1", "r2"]))
    assert sum(map(bool, crowd(lambda: store.consume_recovery("alice", "r1")))) == 1
    assert asyncio.run(store.recovery_left("alice")) == 1


def test_64_wrong_codes_have_a_budget_of_five_and_one_lock(store: Store, crowd: Crowd) -> None:
    async def attempt() -> tuple[bool, int, bool]:
        found = await store.take_attempt("alice", "ip", now=1000.0, account=ACCOUNT, limit=ADDRESS)
        return found.allowed, found.failures, found.locks

    found = crowd(attempt)
    assert sorted(item for item in found if item[0]) == [
        (True, 1, False),
        (True, 2, False),
        (True, 3, False),
        (True, 4, False),
        (True, 5, True),
    ]
    assert asyncio.run(store.failures("alice")) == (5, 1030.0)


def test_64_users_of_one_address_share_its_budget(store: Store, crowd: Crowd) -> None:
    names = iter(range(64))

    async def attempt() -> bool:
        found = await store.take_attempt(f"u{next(names)}", "ip", now=1000.0, account=ACCOUNT, limit=ADDRESS)
        return found.allowed

    assert sum(map(bool, crowd(attempt))) == ADDRESS.failures


def test_one_of_64_settles(store: Store, crowd: Crowd) -> None:
    asyncio.run(store.open_challenge(make_challenge(), keep=3))
    assert sum(map(bool, crowd(lambda: store.settle_challenge("c1", "approved", now=1001.0)))) == 1


def test_64_attempts_of_one_challenge_are_numbered(store: Store, crowd: Crowd) -> None:
    asyncio.run(store.open_challenge(make_challenge(), keep=3))
    found = crowd(lambda: try_challenge(store, attempts=5, account=WIDE))
    assert sorted(each.number for each in found if each.number is not None) == [1, 2, 3, 4, 5]


def test_a_single_use_is_used_once(store: Store, crowd: Crowd) -> None:
    asyncio.run(keep_grant(store, make_grant(uses_left=1), keep=3))
    assert sum(map(bool, crowd(lambda: use(store)))) == 1


def test_what_is_due_is_handed_to_one(store: Store, crowd: Crowd) -> None:
    async def prepare() -> None:
        for number in range(10):
            await store.open_challenge(make_challenge(f"over{number}"), keep=99)
            await store.open_challenge(make_challenge(f"lost{number}"), keep=99)
            await store.settle_challenge(f"lost{number}", "denied", now=1001.0)

    async def sweep() -> list[str]:
        return [c.challenge_id for c in await store.due_challenges(now=1400.0, grace_s=10.0, limit=3)]

    asyncio.run(prepare())
    handed = [name for names in crowd(sweep) for name in names]
    assert sorted(handed) == sorted(f"{kind}{number}" for kind in ("over", "lost") for number in range(10))


def test_a_crowd_of_challenges_leaves_the_cap_open_and_gives_each_other_back_once(store: Store, crowd: Crowd) -> None:
    names = iter(range(64))

    async def ask() -> list[str]:
        evicted = await store.open_challenge(make_challenge(f"c{next(names)}"), keep=3)
        return [challenge.challenge_id for challenge in evicted or ()]

    evicted = [name for names in crowd(ask) for name in names]
    assert len(evicted) == len(set(evicted)) == 61


def test_a_hit_is_a_hit(store: Store, crowd: Crowd) -> None:
    found = crowd(lambda: store.hits("k", now=100.0, window_s=60, record=True))
    assert sorted(found) == list(range(1, 65))


def test_a_crowd_that_asks_for_the_epoch_is_told_the_same(store: Store, crowd: Crowd) -> None:
    assert len(set(crowd(lambda: store.epoch("alice")))) == 1


def test_one_of_64_looks_at_a_spaced_code(store: Store, crowd: Crowd) -> None:
    asyncio.run(store.take_attempt("alice", "", now=1000.0, account=ACCOUNT, limit=ADDRESS))
    assert sum(map(bool, crowd(lambda: store.spaced_attempt("alice", 7)))) == 1


def test_one_of_64_ends_the_look(store: Store, crowd: Crowd) -> None:
    asyncio.run(store.take_attempt("alice", "", now=1000.0, account=ACCOUNT, limit=ADDRESS))
    asyncio.run(store.spaced_attempt("alice", 7))
    assert sum(crowd(lambda: store.spaced_success("alice", 7, now=1000.0, needed=1, within_s=60))) == 1
