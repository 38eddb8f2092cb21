from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from stepup_mw.settings import AccountThrottle, AddressThrottle
from stepup_mw.state import FOREVER, Attempt, Store

from .samples import ACCOUNT, ADDRESS


async def _attempt(
    store: Store,
    user: str = "alice",
    address: str = "",
    *,
    now: float,
    account: AccountThrottle = ACCOUNT,
    limit: AddressThrottle = ADDRESS,
) -> Attempt:
    return await store.take_attempt(user, address, now=now, account=account, limit=limit)


def test_an_attempt_is_counted_before_it_is_judged(store: Store) -> None:
    async def scene() -> None:
        assert await store.failures("alice") == (0, 0.0)
        assert await _attempt(store, now=1000.5) == Attempt(allowed=True, failures=1, locked_until=0.0)
        assert await store.failures("alice") == (1, 0.0)
        assert await store.failures("bob") == (0, 0.0)

    asyncio.run(scene())


def test_the_last_of_the_budget_locks_and_is_itself_allowed(store: Store) -> None:
    async def scene() -> None:
        for number in range(1, 5):
            assert await _attempt(store, now=1000.5) == Attempt(allowed=True, failures=number, locked_until=0.0)
        locking = await _attempt(store, now=1000.5)
        assert locking == Attempt(allowed=True, failures=5, locked_until=1030.5, locks=True)
        refused = Attempt(allowed=False, failures=5, locked_until=1030.5)
        assert await _attempt(store, now=1000.5) == refused
        assert await _attempt(store, now=1030.49) == refused
        assert await store.failures("alice") == (5, 1030.5)
        assert (await _attempt(store, "bob", now=1001.0)).allowed

    asyncio.run(scene())


def test_each_further_lock_grows_to_the_longest_and_the_ceiling_is_for_good(store: Store) -> None:
    async def scene() -> None:
        now, locks = 1000.0, {}
        for number in range(1, 24):
            found = await _attempt(store, now=now)
            assert (found.allowed, found.failures) == (True, number)
            if found.locks:
                locks[number] = found.locked_until - now
                now = found.locked_until
        assert locks == {5: 30, 10: 60, 15: 100, 20: 100, 23: FOREVER - 1290}
        assert await store.failures("alice") == (23, FOREVER)
        assert not (await _attempt(store, now=now - 1)).allowed

    asyncio.run(scene())


def test_a_lock_that_ended_is_not_shown_after_the_next_attempt(store: Store) -> None:
    async def scene() -> None:
        for _ in range(5):
            await _attempt(store, now=1000.0)
        assert await _attempt(store, now=1030.0) == Attempt(allowed=True, failures=6, locked_until=0.0)
        assert await store.failures("alice") == (6, 0.0)

    asyncio.run(scene())


def test_growth_beyond_every_number_is_the_longest_lock(store: Store) -> None:
    account = AccountThrottle(failures=1, lock_s=30, grow=1e300, max_lock_s=3600, ceiling=1000)

    async def scene() -> None:
        now = 0.0
        for _ in range(4):
            found = await _attempt(store, now=now, account=account)
            now = found.locked_until
        assert now == 30 + 3 * 3600

    asyncio.run(scene())


def test_only_a_success_or_an_unlock_clears_the_count(store: Store) -> None:
    async def scene() -> None:
        for user in ("alice", "bob"):
            for _ in range(5):
                await _attempt(store, user, now=1000.0)
        await store.forgive("alice", "")
        assert await store.failures("alice") == (0, 0.0)
        assert (await _attempt(store, now=1000.0)) == Attempt(allowed=True, failures=1, locked_until=0.0)
        assert await store.unlock("bob") is True
        assert await store.unlock("bob") is False
        assert await store.failures("bob") == (0, 0.0)
        assert await store.unlock("nobody") is False

    asyncio.run(scene())


def test_an_address_has_so_many_attempts_in_any_window(store: Store) -> None:
    limit = AddressThrottle(failures=3, window_s=60)

    async def scene() -> None:
        for number, moment in enumerate((100.0, 110.5, 120.0)):
            assert (await _attempt(store, f"u{number}", "ip", now=moment, limit=limit)).allowed
        refused = Attempt(allowed=False, failures=0, locked_until=160.0)
        assert await _attempt(store, "u9", "ip", now=120.0, limit=limit) == refused
        assert await _attempt(store, "u9", "ip", now=159.99, limit=limit) == refused
        assert await store.failures("u9") == (0, 0.0)
        assert (await _attempt(store, "u9", "other", now=120.0, limit=limit)).allowed
        assert (await _attempt(store, "u8", "", now=120.0, limit=limit)).allowed
        assert (await _attempt(store, "u9", "ip", now=160.0, limit=limit)).allowed
        assert (await _attempt(store, "u9", "ip", now=160.0, limit=limit)).locked_until == 170.5

    asyncio.run(scene())


def test_a_refused_attempt_counts_nowhere(store: Store) -> None:
    limit = AddressThrottle(failures=8, window_s=60)

    async def scene() -> None:
        for _ in range(20):
            await _attempt(store, "alice", "ip", now=100.0, limit=limit)
        assert await store.failures("alice") == (5, 130.0)
        allowed = [(await _attempt(store, "bob", "ip", now=100.0, limit=limit)).allowed for _ in range(5)]
        assert allowed == [True, True, True, False, False]

    asyncio.run(scene())


def test_a_right_code_takes_one_attempt_of_the_address_back_and_no_more(store: Store) -> None:
    limit = AddressThrottle(failures=2, window_s=60)

    async def scene() -> None:
        await _attempt(store, "mallory", "ip", now=100.0, limit=limit)
        await _attempt(store, "alice", "ip", now=110.0, limit=limit)
        await store.forgive("alice", "ip")
        await store.forgive("alice", "elsewhere")
        assert (await _attempt(store, "mallory", "ip", now=111.0, limit=limit)).allowed
        assert await _attempt(store, "mallory", "ip", now=112.0, limit=limit) == Attempt(
            allowed=False, failures=2, locked_until=160.0
        )

    asyncio.run(scene())


def test_a_lower_limit_counts_what_is_there(store: Store) -> None:
    wide, narrow = AddressThrottle(failures=9, window_s=60), AddressThrottle(failures=2, window_s=60)

    async def scene() -> None:
        for moment in (100.0, 101.0, 102.0, 103.0):
            await _attempt(store, "u", "ip", now=moment, limit=wide)
        assert (await _attempt(store, "u", "ip", now=104.0, limit=narrow)).locked_until == 162.0
        assert not (await _attempt(store, "u", "new", now=104.0, limit=replace(narrow, failures=0))).allowed

    asyncio.run(scene())


@pytest.mark.parametrize("back", [1.0, 500.0], ids=["a second", "long"])
def test_a_clock_that_goes_back_ends_no_lock_and_forgets_no_attempt(store: Store, back: float) -> None:
    limit = AddressThrottle(failures=5, window_s=60)

    async def scene() -> None:
        for _ in range(5):
            await _attempt(store, "alice", "ip", now=1000.0, limit=limit)
        assert not (await _attempt(store, "alice", "", now=1000.0 - back)).allowed
        assert not (await _attempt(store, "bob", "ip", now=1000.0 - back, limit=limit)).allowed

    asyncio.run(scene())
