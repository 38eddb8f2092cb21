from __future__ import annotations

import asyncio

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Challenge, ChallengeState, Store
from stepup_mw.stores.bounds import SETTLED_KEPT_S

from .samples import WIDE, make_challenge, try_challenge


def test_a_challenge_comes_back_as_it_was_opened(store: Store) -> None:
    challenge = make_challenge(user="zoë\0\U0001f600", session="", binding="d", facts=b"\0\xff", return_to=b"")

    async def scene() -> None:
        assert await store.challenge("c1") is None
        assert await store.open_challenge(challenge, keep=3) == ()
        assert await store.challenge("c1") == challenge
        with pytest.raises(StoreUnavailable):
            await store.open_challenge(make_challenge(user="mallory"), keep=3)
        assert await store.challenge("c1") == challenge

    asyncio.run(scene())


def test_the_oldest_open_ones_beyond_the_cap_are_abandoned(store: Store) -> None:
    opened = [make_challenge(f"c{n}", created_at=1000.5 + n) for n in range(5)]

    async def scene() -> None:
        for challenge in (opened[1], opened[0], opened[2]):
            assert await store.open_challenge(challenge, keep=3) == ()
        assert await store.open_challenge(make_challenge("other", user="bob"), keep=1) == ()
        assert await store.settle_challenge("c2", "approved", now=1003.0)
        assert await store.open_challenge(opened[3], keep=3) == ()
        evicted = await store.open_challenge(opened[4], keep=2) or ()
        assert evicted == tuple(c._replace(state="abandoned", settled_at=1004.5) for c in opened[:2])
        assert await store.challenge("c0") == evicted[0]
        assert (await store.challenge("c3")) == opened[3]

    asyncio.run(scene())


def test_the_new_one_is_never_the_one_that_goes(store: Store) -> None:
    async def scene() -> None:
        await store.open_challenge(make_challenge("later", created_at=2000.0), keep=1)
        evicted = await store.open_challenge(make_challenge("clock back", created_at=1000.0), keep=1) or ()
        assert [challenge.challenge_id for challenge in evicted] == ["later"]

    asyncio.run(scene())


def test_the_latest_is_the_newest_open_one_for_exactly_these(store: Store) -> None:
    async def latest(
        now: float = 1001.0, *, user: str = "alice", session: str = "s1", rule: str = "transfer", binding: str = ""
    ) -> str | None:
        found = await store.latest_challenge(user, session, rule, binding, now=now)
        return found.challenge_id if found else None

    async def scene() -> None:
        assert await latest() is None
        for name, created_at in (("c1", 1000.0), ("c3", 1002.0), ("c2", 1002.0), ("c0", 999.0)):
            await store.open_challenge(make_challenge(name, created_at=created_at), keep=9)
        await store.open_challenge(make_challenge("bound", binding="d", created_at=1005.0), keep=9)
        assert await latest() == "c2"
        assert await latest(binding="d") == "bound"
        assert await latest(user="bob") is None
        assert await latest(session="s2") is None
        assert await latest(rule="other") is None
        assert await latest(binding="e") is None
        await store.settle_challenge("c2", "denied", now=1003.0)
        assert await latest() == "c3"
        assert await latest(1300.49) == "c3"
        assert await latest(1300.5) is None

    asyncio.run(scene())


def test_attempts_are_numbered_up_to_the_limit_while_it_is_open(store: Store) -> None:
    async def scene() -> None:
        await store.open_challenge(make_challenge(), keep=9)
        assert [(await try_challenge(store, attempts=3, account=WIDE)).number for _ in range(4)] == [1, 2, 3, None]
        assert (await try_challenge(store, attempts=4, account=WIDE)).number == 4
        assert (await try_challenge(store, "nobody", account=WIDE)).number is None
        await store.settle_challenge("c1", "locked", now=1001.0)
        assert (await try_challenge(store, account=WIDE)).number is None
        found = await store.challenge("c1")
        assert found is not None
        assert (found.attempts, found.state, found.settled_at) == (4, "locked", 1001.0)

    asyncio.run(scene())


@pytest.mark.parametrize("state", ["approved", "denied", "expired", "abandoned", "locked", "error"])
def test_it_ends_once(store: Store, state: ChallengeState) -> None:
    async def scene() -> None:
        await store.open_challenge(make_challenge(), keep=9)
        assert await store.settle_challenge("c1", "open", now=1000.5) is False
        assert await store.settle_challenge("c1", state, now=1001.5) is True
        assert await store.settle_challenge("c1", "approved", now=1002.5) is False
        assert await store.settle_challenge("nobody", state, now=1001.5) is False
        assert await store.challenge("c1") == make_challenge(state=state, settled_at=1001.5)
        await store.mark_logged("c1")
        await store.mark_logged("nobody")
        assert await store.challenge("c1") == make_challenge(state=state, settled_at=1001.5, logged=True)

    asyncio.run(scene())


def test_an_open_one_has_no_outcome_to_log(store: Store) -> None:
    async def scene() -> None:
        await store.open_challenge(make_challenge(), keep=9)
        await store.mark_logged("c1")
        assert await store.challenge("c1") == make_challenge()

    asyncio.run(scene())


async def _due(store: Store, now: float, *, grace_s: float = 10.0, limit: int = 100) -> tuple[Challenge, ...]:
    return await store.due_challenges(now=now, grace_s=grace_s, limit=limit)


def test_what_ran_out_is_handed_out_once_and_says_whether_anyone_tried(store: Store) -> None:
    async def scene() -> None:
        await store.open_challenge(make_challenge("tried"), keep=9)
        await store.open_challenge(make_challenge("left", expires_at=1299.0), keep=9)
        await store.open_challenge(make_challenge("still", expires_at=1301.0), keep=9)
        await try_challenge(store, "tried")
        assert await _due(store, 1298.9) == ()
        ended = await _due(store, 1300.5)
        assert ended == (
            make_challenge("left", expires_at=1299.0, state="abandoned", settled_at=1300.5),
            make_challenge("tried", attempts=1, state="expired", settled_at=1300.5),
        )
        assert await store.challenge("tried") == ended[1]
        assert await _due(store, 1300.5, grace_s=0.0) == ()
        assert await store.settle_challenge("left", "approved", now=1300.6) is False

    asyncio.run(scene())


def test_a_line_that_was_never_written_is_handed_out_again_after_the_grace(store: Store) -> None:
    async def scene() -> None:
        for name in ("settled", "logged"):
            await store.open_challenge(make_challenge(name), keep=9)
            await store.settle_challenge(name, "denied", now=1100.0)
        await store.mark_logged("logged")
        assert await _due(store, 1110.0) == ()
        lost = make_challenge("settled", state="denied", settled_at=1100.0)
        assert await _due(store, 1110.5) == (lost,)
        assert await _due(store, 1120.5) == ()
        assert await _due(store, 1121.0) == (lost,)
        await store.mark_logged("settled")
        assert await _due(store, 1200.0) == ()

    asyncio.run(scene())


def test_a_call_hands_out_no_more_than_it_can_take(store: Store) -> None:
    async def scene() -> None:
        for number in range(3):
            await store.open_challenge(make_challenge(f"over{number}", expires_at=1100.0 + number), keep=9)
            await store.open_challenge(make_challenge(f"lost{number}"), keep=9)
            await store.settle_challenge(f"lost{number}", "error", now=1001.0 + number)
        found = [[c.challenge_id for c in await _due(store, 1200.0, limit=2)] for _ in range(4)]
        assert found == [["over0", "over1"], ["over2", "lost0"], ["lost1", "lost2"], []]

    asyncio.run(scene())


def test_a_logged_one_is_dropped_long_after_and_an_unlogged_one_never(store: Store) -> None:
    async def scene() -> None:
        for name in ("logged", "unlogged"):
            await store.open_challenge(make_challenge(name), keep=9)
            await store.settle_challenge(name, "approved", now=1100.0)
        await store.mark_logged("logged")
        await _due(store, 1100.0 + SETTLED_KEPT_S - 0.5)
        assert await store.challenge("logged") is not None
        await _due(store, 1100.0 + SETTLED_KEPT_S)
        assert await store.challenge("logged") is None
        await _due(store, 1100.0 + 1000 * SETTLED_KEPT_S)
        assert await store.challenge("unlogged") is not None

    asyncio.run(scene())
