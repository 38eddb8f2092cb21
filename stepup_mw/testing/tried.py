"""Promises about a code for a challenge: that it is counted first, and taken once."""

from __future__ import annotations

from itertools import count

from ..settings import AddressThrottle
from ..state import Attempt, ChallengeState, Store, Taken, Tried
from .promises import promise, same
from .races import Crowd, race
from .records import (
    WIDE,
    attempt,
    make_challenge,
    make_factor,
    make_right,
    try_challenge,
)


async def _ask(store: Store, *names: str, user: str = "alice") -> None:
    for name in names or ("c1",):
        await store.open_challenge(make_challenge(name, user=user), keep=9)


async def _state(store: Store, name: str = "c1") -> tuple[ChallengeState, int, bool] | None:
    found = await store.challenge(name)
    return (found.state, found.attempts, found.logged) if found is not None else None


@promise
async def a_try_is_counted_first(store: Store) -> None:
    """try_challenge counts against account and challenge, and gives what the code is to be compared with."""
    held = make_factor(), make_factor(factor_id="f2", created_at=2000.0, last_step=7, drift=-1, label="phone")
    await store.put_factor(held[0], ["r1"])
    await store.add_factor(held[1])
    await _ask(store)
    tried = await try_challenge(store)
    epoch = await store.epoch("alice")
    same(tried, Tried(Attempt(allowed=True, failures=1, locked_until=0.0), 1, epoch, held))
    same((await try_challenge(store))[:3], (Attempt(allowed=True, failures=2, locked_until=0.0), 2, epoch))
    same((await store.failures("alice"), await _state(store)), ((2, 0.0), ("open", 2, False)))
    await _ask(store, "b1", user="bob")
    same((await try_challenge(store, "b1", "bob")).factors, (), "who has none")


@promise
async def attempts_are_numbered(store: Store) -> None:
    """try_challenge numbers the attempts of the user's open challenge up to its limit; without a number it gives
    nothing else, and the account has been counted all the same."""
    await store.put_factor(make_factor(), [])
    await _ask(store)
    found = [(await try_challenge(store, attempts=3, account=WIDE)).number for _ in range(4)]
    found.append((await try_challenge(store, attempts=4, account=WIDE)).number)
    same(found, [1, 2, 3, None, 4])
    for name, user in (("nobody", "alice"), ("c1", "bob")):
        tried = await try_challenge(store, name, user, account=WIDE)
        same(tried[1:], (None, 0, ()), f"{name} of {user}")
    await store.settle_challenge("c1", "locked", now=1001.0)
    same((await try_challenge(store, account=WIDE))[1:], (None, 0, ()), "an ended one")
    same((await store.failures("alice"))[0], 7)
    same(await store.challenge("c1"), make_challenge(attempts=4, state="locked", settled_at=1001.0))


@promise
async def a_refused_try_counts_nothing(store: Store) -> None:
    """While the account is locked or the address full, a challenge counts no attempt, and nothing is given."""
    limit = AddressThrottle(failures=6, window_s=60)
    await store.put_factor(make_factor(), [])
    await _ask(store)
    await _ask(store, "b1", user="bob")
    for _ in range(5):
        await attempt(store, "alice", "ip", now=1001.0, limit=limit)
    locked = Tried(Attempt(allowed=False, failures=5, locked_until=1031.0))
    same(await try_challenge(store, address="ip", limit=limit), locked)
    same((await try_challenge(store, "b1", "bob", "ip", limit=limit)).number, 1, "the last of the address")
    full = Tried(Attempt(allowed=False, failures=1, locked_until=1061.0))
    same(await try_challenge(store, "b1", "bob", "ip", limit=limit), full)
    same((await _state(store), await _state(store, "b1")), (("open", 0, False), ("open", 1, False)))
    same((await try_challenge(store, now=1031.0)).number, 1, "after the lock")


@promise
async def a_code_is_taken_of_all_at_once(store: Store) -> None:
    """take_code takes a step of the user in all of their authenticators, learns the drift of one, and settles."""
    await store.put_factor(make_factor(last_step=70), [])
    await store.add_factor(make_factor(factor_id="f2", created_at=2000.0, drift=-2))
    await store.put_factor(make_factor("bob", "b1"), [])
    await _ask(store)
    same(await store.take_code(make_right(70, factor_id="f2")), Taken(taken=False), "a step taken from another")
    for other in (make_right(factor_id="b1"), make_right(factor_id="gone"), make_right(user="nobody")):
        same(await store.take_code(other), Taken(taken=False), f"{other.factor_id} of {other.user}")
    same(await _state(store), ("open", 0, False))
    same(await store.take_code(make_right(factor_id="f2", at=1002.5)), Taken(taken=True, settled=True))
    same([(each.last_step, each.drift) for each in await store.factors("alice")], [(77, 0), (77, 1)])
    same(await store.challenge("c1"), make_challenge(state="approved", settled_at=1002.5))
    same([each.last_step for each in await store.factors("bob")], [-1])
    same(await store.consume_step("alice", "f1", 77), False, "once more, by itself")


@promise
async def a_code_used_again_settles_nothing(store: Store) -> None:
    """A code that was taken, or one before it, settles no other challenge."""
    await store.put_factor(make_factor(), [])
    await _ask(store, "c1", "c2")
    same(await store.take_code(make_right()), Taken(taken=True, settled=True))
    for step in (77, 76, -1):
        same(await store.take_code(make_right(step, challenge_id="c2")), Taken(taken=False), f"step {step}")
    same(await _state(store, "c2"), ("open", 0, False))


@promise
async def a_code_for_an_ended_challenge_is_used_up(store: Store) -> None:
    """A code for a challenge that has ended, is another's, or is none at all, is taken, and settles nothing."""
    await store.put_factor(make_factor(), [])
    await _ask(store)
    await _ask(store, "b1", user="bob")
    await store.settle_challenge("c1", "denied", now=1001.0)
    for step, name in enumerate(("c1", "b1", "nobody", ""), start=77):
        same(await store.take_code(make_right(step, challenge_id=name)), Taken(taken=True, settled=False), name)
        same(await store.take_code(make_right(step, challenge_id=name)), Taken(taken=False), f"{name}, again")
    same((await _state(store), await _state(store, "b1")), (("denied", 0, False), ("open", 0, False)))


@promise
async def a_code_that_was_told_is_not_taken(store: Store) -> None:
    """A code that was recognised before its time is not taken, and settles nothing; no other is kept from it."""
    await store.put_factor(make_factor(), [])
    await _ask(store)
    await store.hits("told:alice", now=1000.0, window_s=60, record=True)
    same(await store.take_code(make_right(at=1059.9)), Taken(taken=False))
    same((await store.factors("alice"), await _state(store)), ((make_factor(),), ("open", 0, False)))
    same(await store.take_code(make_right(76, at=1001.0, told="told:other")), Taken(taken=True, settled=True))
    same(await store.take_code(make_right(at=1060.0)), Taken(taken=True, settled=False), "long after")


@race
async def one_takes_the_code(store: Store, crowd: Crowd) -> None:
    """Of 64 submissions of one right code for two challenges, one is taken, and settles the one that it was for."""
    await store.put_factor(make_factor(), [])
    await store.add_factor(make_factor(factor_id="f2"))
    await _ask(store, "c1", "c2")
    numbers = count()

    async def submit() -> tuple[Taken, str]:
        number = next(numbers)
        name = f"c{number % 2 + 1}"
        return await store.take_code(make_right(challenge_id=name, factor_id=f"f{number // 2 % 2 + 1}")), name

    found = await crowd(submit)
    won = [(taken, name) for taken, name in found if taken != Taken(taken=False)]
    same([taken for taken, _ in won], [Taken(taken=True, settled=True)], "who took it")
    for name in ("c1", "c2"):
        same((await _state(store, name)), ("approved" if name == won[0][1] else "open", 0, False), name)


@race
async def the_budget_of_tries_holds(store: Store, crowd: Crowd) -> None:
    """Of 64 wrong codes at once for one challenge, five are looked at, each with a number of its own."""
    await store.put_factor(make_factor(), [])
    await _ask(store)
    found = await crowd(lambda: try_challenge(store, address="ip"))
    counted = [(each.attempt.failures, each.attempt.locks, each.number) for each in found if each.attempt.allowed]
    same(sorted(counted), [(1, False, 1), (2, False, 2), (3, False, 3), (4, False, 4), (5, True, 5)])
    same(await _state(store), ("open", 5, False), "the challenge")


@race
async def attempts_are_numbered_once(store: Store, crowd: Crowd) -> None:
    """64 attempts of one challenge are numbered up to the limit, each number once."""
    await _ask(store)
    found = await crowd(lambda: try_challenge(store, attempts=5, account=WIDE))
    same(sorted(each.number for each in found if each.number is not None), [1, 2, 3, 4, 5])
    same((await store.failures("alice"))[0], 64, "the account")
