"""Promises about guesses: failures, locks, addresses and hits."""

from __future__ import annotations

from dataclasses import replace

from ..settings import AccountThrottle, AddressThrottle
from ..state import FOREVER, Attempt, Store
from .promises import promise, same
from .records import ACCOUNT, ADDRESS, attempt


@promise
async def an_attempt_is_counted_first(store: Store) -> None:
    """take_attempt counts before anything is compared; the last of the budget begins the lock and is allowed."""
    same(await store.failures("alice"), (0, 0.0))
    for number in range(1, 5):
        same(await attempt(store, now=1000.5), Attempt(allowed=True, failures=number, locked_until=0.0))
    same(await attempt(store, now=1000.5), Attempt(allowed=True, failures=5, locked_until=1030.5, locks=True))
    for moment in (1000.5, 1030.49):
        same(await attempt(store, now=moment), Attempt(allowed=False, failures=5, locked_until=1030.5))
    same(await store.failures("alice"), (5, 1030.5))
    same((await attempt(store, "bob", now=1001.0)).allowed, True, "another user")


@promise
async def locks_grow_to_the_ceiling(store: Store) -> None:
    """Each further lock is longer, up to the longest; the ceiling is for good."""
    now, locks = 1000.0, {}
    for number in range(1, 24):
        found = await attempt(store, now=now)
        same((found.allowed, found.failures), (True, number))
        if found.locks:
            locks[number] = found.locked_until - now
            now = found.locked_until
    same(locks, {5: 30, 10: 60, 15: 100, 20: 100, 23: FOREVER - 1290})
    same(await store.failures("alice"), (23, FOREVER))
    same((await attempt(store, now=now - 1)).allowed, False)


@promise
async def growth_beyond_numbers_is_the_longest_lock(store: Store) -> None:
    """A lock that would be longer than every number is the longest there is."""
    account = AccountThrottle(failures=1, lock_s=30, grow=1e300, max_lock_s=3600, ceiling=1000)
    now = 0.0
    for _ in range(4):
        now = (await attempt(store, now=now, account=account)).locked_until
    same(now, 30.0 + 3 * 3600)


@promise
async def an_ended_lock_is_not_shown(store: Store) -> None:
    """A lock that ended is not shown after the next attempt, and the count goes on."""
    for _ in range(5):
        await attempt(store, now=1000.0)
    same(await attempt(store, now=1030.0), Attempt(allowed=True, failures=6, locked_until=0.0))
    same(await store.failures("alice"), (6, 0.0))


@promise
async def only_success_or_unlock_clears(store: Store) -> None:
    """Only forgive and unlock clear a count, and only that user's."""
    for user in ("alice", "bob"):
        for _ in range(5):
            await attempt(store, user, now=1000.0)
    await store.forgive("alice", "")
    same(await store.failures("alice"), (0, 0.0))
    same(await store.failures("bob"), (5, 1030.0))
    same((await attempt(store, now=1000.0)).failures, 1)
    same([await store.unlock(user) for user in ("bob", "bob", "nobody")], [True, False, False])
    same(await store.failures("bob"), (0, 0.0))


@promise
async def an_address_has_a_budget(store: Store) -> None:
    """An address has so many attempts in any window, over all users."""
    limit = AddressThrottle(failures=3, window_s=60)
    for number, moment in enumerate((100.0, 110.5, 120.0)):
        same((await attempt(store, f"u{number}", "ip", now=moment, limit=limit)).allowed, True)
    for moment in (120.0, 159.99):
        found = await attempt(store, "u9", "ip", now=moment, limit=limit)
        same(found, Attempt(allowed=False, failures=0, locked_until=160.0))
    same(await store.failures("u9"), (0, 0.0), "a refused attempt")
    same((await attempt(store, "u9", "other", now=120.0, limit=limit)).allowed, True, "another address")
    same((await attempt(store, "u8", "", now=120.0, limit=limit)).allowed, True, "no address")
    same((await attempt(store, "u9", "ip", now=160.0, limit=limit)).allowed, True, "the next window")
    same((await attempt(store, "u9", "ip", now=160.0, limit=limit)).locked_until, 170.5)


@promise
async def a_refused_attempt_counts_nowhere(store: Store) -> None:
    """An attempt that is refused for the account does not count for the address."""
    limit = AddressThrottle(failures=8, window_s=60)
    for _ in range(20):
        await attempt(store, "alice", "ip", now=100.0, limit=limit)
    same(await store.failures("alice"), (5, 130.0))
    found = [(await attempt(store, "bob", "ip", now=100.0, limit=limit)).allowed for _ in range(5)]
    same(found, [True, True, True, False, False])


@promise
async def forgive_gives_one_attempt_back(store: Store) -> None:
    """A right code gives its address one attempt back and no more."""
    limit = AddressThrottle(failures=2, window_s=60)
    await attempt(store, "mallory", "ip", now=100.0, limit=limit)
    await attempt(store, "alice", "ip", now=110.0, limit=limit)
    await store.forgive("alice", "ip")
    await store.forgive("alice", "elsewhere")
    same((await attempt(store, "mallory", "ip", now=111.0, limit=limit)).allowed, True)
    found = await attempt(store, "mallory", "ip", now=112.0, limit=limit)
    same(found, Attempt(allowed=False, failures=2, locked_until=160.0))


@promise
async def a_lower_limit_counts_what_is_there(store: Store) -> None:
    """Limits come with each call: a lower one counts what is there."""
    wide, narrow = AddressThrottle(failures=9, window_s=60), AddressThrottle(failures=2, window_s=60)
    for moment in (100.0, 101.0, 102.0, 103.0):
        await attempt(store, "u", "ip", now=moment, limit=wide)
    same((await attempt(store, "u", "ip", now=104.0, limit=narrow)).locked_until, 162.0)
    same((await attempt(store, "u", "new", now=104.0, limit=replace(narrow, failures=0))).allowed, False)


@promise
async def a_clock_that_goes_back_ends_no_lock(store: Store) -> None:
    """A clock that goes back ends no lock and forgets no attempt."""
    limit = AddressThrottle(failures=5, window_s=60)
    for _ in range(5):
        await attempt(store, "alice", "ip", now=1000.0, limit=limit)
    for back in (1.0, 500.0):
        same((await attempt(store, "alice", now=1000.0 - back)).allowed, False, "the account")
        same((await attempt(store, "bob", "ip", now=1000.0 - back, limit=limit)).allowed, False, "the address")


@promise
async def hits_slide(store: Store) -> None:
    """hits counts in a sliding window, this one included; ``record = False`` keeps nothing."""
    found = [await store.hits("k", now=now, window_s=60, record=True) for now in (100.0, 100.0, 130.5, 159.9)]
    same(found, [1, 2, 3, 4])
    same([await store.hits("k", now=160.0, window_s=60, record=record) for record in (False, False, True)], [3, 3, 3])
    same(await store.hits("other", now=160.0, window_s=60, record=False), 1)
    same(await store.hits("k", now=220.0, window_s=60, record=False), 1)


@promise
async def hits_and_attempts_are_apart(store: Store) -> None:
    """A key of hits is never an address of attempts, whatever their names."""
    await store.hits("ip", now=100.0, window_s=60, record=True)
    await store.take_attempt("alice", "ip", now=100.0, account=ACCOUNT, limit=ADDRESS)
    for _ in range(2):
        await store.forgive("alice", "ip")
    same(await store.hits("ip", now=100.0, window_s=60, record=False), 2)
