from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Store

from .samples import bare, keep_grant, make_factor, make_grant, put_grant, use

Ending = Literal["put", "add", "remove", "remove all", "revoke", "raise"]

ENDINGS: Mapping[Ending, Callable[[Store], Awaitable[object]]] = {
    "put": lambda store: store.put_factor(make_factor(factor_id="f2"), []),
    "add": lambda store: store.add_factor(make_factor(factor_id="f2")),
    "remove": lambda store: store.remove_factor("alice", "f1"),
    "remove all": lambda store: store.remove_factors("alice"),
    "revoke": lambda store: store.revoke_grants("alice"),
    "raise": lambda store: store.raise_epoch("alice"),
}


@pytest.fixture(params=ENDINGS)
def ending(request: pytest.FixtureRequest) -> Ending:
    found: Ending = request.param
    return found


async def _held(store: Store, user: str = "alice", now: float = 1001.0) -> list[str]:
    return [grant.grant_id for grant in await store.grants(user, now=now)]


def test_a_grant_comes_back_as_it_was_put(store: Store) -> None:
    kept = [
        make_grant(),
        make_grant("g2", user="zoë\0\U0001f600", session="", browser="", binding="", scope="request", uses_left=1),
    ]

    async def scene() -> None:
        assert await store.grant("g1") is None
        for grant in kept:
            await keep_grant(store, grant)
        for grant in kept:
            assert await bare(store, grant.grant_id) == grant
        with pytest.raises(StoreUnavailable):
            await keep_grant(store, make_grant(user="mallory"))
        assert await bare(store, "g1") == kept[0]

    asyncio.run(scene())


def test_uses_run_out(store: Store) -> None:
    async def scene() -> None:
        await keep_grant(store, make_grant("twice", uses_left=2))
        await keep_grant(store, make_grant("open"))
        assert [await use(store, "twice") for _ in range(3)] == [True, True, False]
        assert await bare(store, "twice") == make_grant("twice", uses_left=0)
        assert await use(store, "open") is False
        assert await use(store, "nothing") is False
        assert await bare(store, "open") == make_grant("open")

    asyncio.run(scene())


def test_a_user_holds_the_newest_and_no_more_than_the_cap(store: Store) -> None:
    async def scene() -> None:
        for name, proved_at in (("g2", 1002.0), ("g1", 1001.0), ("g3", 1002.0)):
            await keep_grant(store, make_grant(name, proved_at=proved_at), keep=3)
        await keep_grant(store, make_grant("bob", user="bob"), keep=1)
        assert await _held(store) == ["g3", "g2", "g1"]
        await keep_grant(store, make_grant("g4", proved_at=1003.0), keep=3)
        assert await _held(store) == ["g4", "g3", "g2"]
        await keep_grant(store, make_grant("clock back", proved_at=900.0), keep=2)
        assert await _held(store) == ["g4", "clock back"]
        assert await store.grant("g2") is None
        assert await _held(store, "bob") == ["bob"]

    asyncio.run(scene())


def test_expired_grants_are_not_held_and_go_with_the_next_put(store: Store) -> None:
    async def scene() -> None:
        await keep_grant(store, make_grant("short", expires_at=1100.0))
        await keep_grant(store, make_grant("bob", user="bob", expires_at=1100.0))
        assert await _held(store, now=1099.9) == ["short"]
        assert await _held(store, now=1100.0) == []
        await keep_grant(store, make_grant("next", proved_at=1099.5))
        assert await store.grant("short") is not None
        await keep_grant(store, make_grant("last", proved_at=1100.0))
        assert await store.grant("short") is None
        assert await _held(store, "bob", now=1100.0) == []
        assert await _held(store, now=1100.0) == ["last", "next"]

    asyncio.run(scene())


def test_revoking_takes_one_or_all_of_one_user(store: Store) -> None:
    async def scene() -> None:
        for name in ("g1", "g2", "g3"):
            await keep_grant(store, make_grant(name))
        await keep_grant(store, make_grant("bob", user="bob"))
        assert await store.revoke_grants("alice", "bob") == 0
        assert await store.revoke_grants("alice", "g2") == 1
        assert await store.revoke_grants("alice", "g2") == 0
        assert await store.grant("g2") is None
        assert await use(store, "g2") is False
        assert await store.revoke_grants("alice") == 2
        assert await store.revoke_grants("alice") == 0
        assert await _held(store) == []
        assert await _held(store, "bob") == ["bob"]
        await keep_grant(store, make_grant("g2", session="s2"))
        assert await bare(store, "g2") == make_grant("g2", session="s2")

    asyncio.run(scene())


def test_what_voids_grants_ends_the_epoch_in_the_same_step(store: Store, ending: Ending) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), ["r1"])
        await store.put_factor(make_factor("bob"), [])
        old = await keep_grant(store, make_grant("alive", uses_left=2))
        bob = await keep_grant(store, make_grant("bob", user="bob"))
        assert await store.epoch("alice") == old.epoch

        await ENDINGS[ending](store)

        assert await store.grant("alive") is None
        assert await use(store, "alive") is False
        assert await store.revoke_grants("alice", "alive") == 0
        assert await _held(store) == []
        late = make_grant("late", epoch=old.epoch)
        assert await put_grant(store, late) is False, "proved before, kept after"
        assert await store.grant("late") is None
        new = await store.epoch("alice")
        assert new != old.epoch
        assert await store.epoch("alice") == new
        assert await put_grant(store, late) is False
        assert await put_grant(store, late._replace(epoch=new)) is True
        assert await store.grant("bob") == bob

    asyncio.run(scene())


def test_what_changes_nothing_ends_no_epoch(store: Store) -> None:
    async def scene() -> None:
        await store.put_factor(make_factor(), ["r1"])
        kept = await keep_grant(store, make_grant())
        assert not await store.add_factor(make_factor())
        assert not await store.add_factor(make_factor(factor_id="f2"), keep=1)
        assert not await store.remove_factor("alice", "f9")
        assert await store.consume_step("alice", "f1", 7, drift=1)
        assert await store.consume_recovery("alice", "r1")
        assert await store.replace_sealed("alice", "f1", b"new", expected=make_factor().sealed)
        assert await store.revoke_grants("alice", "g9") == 0
        await store.put_recovery("alice", ["r2"])
        await store.unlock("alice")
        assert await store.grant("g1") == kept

    asyncio.run(scene())


def test_an_epoch_is_a_large_number_that_nobody_else_has(store: Store) -> None:
    async def scene() -> None:
        drawn = [await store.epoch(user) for user in ("alice", "bob", "")]
        drawn += [await store.raise_epoch("alice") for _ in range(20)]
        assert len(set(drawn)) == 23
        assert all(0 < number < 2**53 for number in drawn)
        assert max(drawn) > 2**40, "drawn, not counted"
        assert await store.epoch("alice") == drawn[-1]
        assert await put_grant(store, make_grant(user="nobody asked")) is False

    asyncio.run(scene())
