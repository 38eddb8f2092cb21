"""The run of spaced right codes by which the owner of a locked account unlocks it."""

from __future__ import annotations

import asyncio

import pytest

from stepup_mw.state import Store

from .samples import ACCOUNT, ADDRESS, make_factor

Look = tuple[int, int, int]
"""The slot of the look, the step of the code (-1: wrong; -2: nobody ever said), and the count that is given."""


async def _fail(store: Store, user: str = "alice") -> None:
    await store.take_attempt(user, "", now=1000.0, account=ACCOUNT, limit=ADDRESS)


async def _look(store: Store, slot: int, step: int, *, user: str = "alice", now: float | None = None) -> int:
    assert await store.spaced_attempt(user, slot)
    if step == -2:
        return -2
    when = slot * 30.0 if now is None else now
    return await store.spaced_success(user, step, now=when, needed=3, within_s=600)


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([(1, 1, 1), (2, 2, 2), (3, 3, 3)], id="three in a row"),
        pytest.param([(1, 1, 1), (5, 5, 2), (9, 8, 3)], id="three with time between"),
        pytest.param([(1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 1)], id="the last is given once"),
        pytest.param([(1, 1, 1), (2, -1, 0), (3, 3, 1), (4, 4, 2)], id="a wrong one between"),
        pytest.param([(1, 1, 1), (2, -2, -2), (3, 3, 1)], id="one that nobody judged between"),
        pytest.param([(1, 2, 1), (2, 2, 0), (3, 3, 1)], id="the same code again"),
        pytest.param([(1, 1, 1), (2, 2, 2), (3, 1, 0), (4, 2, 0), (5, 5, 1)], id="an earlier code again"),
        pytest.param([(1, 1, 1), (2, 2, 2), (21, 21, 1), (22, 22, 2), (23, 23, 3)], id="too slow"),
        pytest.param([(1, 0, 1), (2, 1, 2), (3, 2, 3)], id="a clock behind"),
    ],
)
def test_a_run(store: Store, looks: list[Look]) -> None:
    async def scene() -> None:
        await _fail(store)
        assert [await _look(store, slot, step) for slot, step, _ in looks] == [count for _, _, count in looks]

    asyncio.run(scene())


def test_a_slot_has_one_look_and_only_a_later_slot_another(store: Store) -> None:
    async def scene() -> None:
        await _fail(store)
        assert [await store.spaced_attempt("alice", slot) for slot in (5, 5, 4, 6, 6)] == [
            True,
            False,
            False,
            True,
            False,
        ]
        assert await store.spaced_success("alice", 6, now=180.0, needed=3, within_s=600) == 1
        assert await store.spaced_success("alice", 7, now=180.0, needed=3, within_s=600) == 0, "no look is open"

    asyncio.run(scene())


def test_only_an_account_with_failures_has_a_run_and_it_is_its_own(store: Store) -> None:
    async def scene() -> None:
        assert await store.spaced_attempt("alice", 1) is False
        assert await store.spaced_success("alice", 1, now=30.0, needed=1, within_s=600) == 0
        await _fail(store)
        await _fail(store, "bob")
        assert await _look(store, 1, 1) == 1
        assert await _look(store, 1, 1, user="bob") == 1
        assert await _look(store, 2, 2) == 2
        assert await _look(store, 2, -1, user="bob") == 0
        assert await _look(store, 3, 3) == 3
        assert (await store.failures("alice"))[0] == 1, "counting clears nothing"

    asyncio.run(scene())


def test_an_attempt_that_counts_ends_the_run_and_gives_no_look_back(store: Store) -> None:
    async def scene() -> None:
        await _fail(store)
        assert await _look(store, 1, 1) == 1
        assert await _look(store, 2, 2) == 2
        await _fail(store)
        assert await store.spaced_attempt("alice", 2) is False
        assert await _look(store, 3, 2) == 0
        assert await _look(store, 4, 4) == 1

    asyncio.run(scene())


def test_unlocking_forgiving_and_a_new_factor_forget_the_run(store: Store) -> None:
    async def scene() -> None:
        for clear in (
            lambda: store.unlock("alice"),
            lambda: store.forgive("alice", ""),
            lambda: store.put_factor(make_factor(), []),
        ):
            await _fail(store)
            assert await _look(store, 1, 1) == 1
            await clear()
            assert await store.spaced_attempt("alice", 2) is False

    asyncio.run(scene())


def test_a_clock_that_goes_back_begins_a_new_run(store: Store) -> None:
    async def scene() -> None:
        await _fail(store)
        assert await _look(store, 1, 1, now=1000.0) == 1
        assert await _look(store, 2, 2, now=999.0) == 1

    asyncio.run(scene())
