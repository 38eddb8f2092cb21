from __future__ import annotations

import asyncio

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Store

from .samples import make_grant


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
            await store.put_grant(grant, keep=9)
        for grant in kept:
            assert await store.grant(grant.grant_id) == grant
        with pytest.raises(StoreUnavailable):
            await store.put_grant(make_grant(user="mallory"), keep=9)
        assert await store.grant("g1") == kept[0]

    asyncio.run(scene())


def test_uses_run_out(store: Store) -> None:
    async def scene() -> None:
        await store.put_grant(make_grant("twice", uses_left=2), keep=9)
        await store.put_grant(make_grant("open"), keep=9)
        assert [await store.use_grant("twice") for _ in range(3)] == [True, True, False]
        assert await store.grant("twice") == make_grant("twice", uses_left=0)
        assert await store.use_grant("open") is False
        assert await store.use_grant("nothing") is False
        assert await store.grant("open") == make_grant("open")

    asyncio.run(scene())


def test_a_user_holds_the_newest_and_no_more_than_the_cap(store: Store) -> None:
    async def scene() -> None:
        for name, proved_at in (("g2", 1002.0), ("g1", 1001.0), ("g3", 1002.0)):
            await store.put_grant(make_grant(name, proved_at=proved_at), keep=3)
        await store.put_grant(make_grant("bob", user="bob"), keep=1)
        assert await _held(store) == ["g3", "g2", "g1"]
        await store.put_grant(make_grant("g4", proved_at=1003.0), keep=3)
        assert await _held(store) == ["g4", "g3", "g2"]
        await store.put_grant(make_grant("clock back", proved_at=900.0), keep=2)
        assert await _held(store) == ["g4", "clock back"]
        assert await store.grant("g2") is None
        assert await _held(store, "bob") == ["bob"]

    asyncio.run(scene())


def test_expired_grants_are_not_held_and_go_with_the_next_put(store: Store) -> None:
    async def scene() -> None:
        await store.put_grant(make_grant("short", expires_at=1100.0), keep=9)
        await store.put_grant(make_grant("bob", user="bob", expires_at=1100.0), keep=9)
        assert await _held(store, now=1099.9) == ["short"]
        assert await _held(store, now=1100.0) == []
        await store.put_grant(make_grant("next", proved_at=1099.5), keep=9)
        assert await store.grant("short") is not None
        await store.put_grant(make_grant("last", proved_at=1100.0), keep=9)
        assert await store.grant("short") is None
        assert await _held(store, "bob", now=1100.0) == []
        assert await _held(store, now=1100.0) == ["last", "next"]

    asyncio.run(scene())


def test_revoking_takes_one_or_all_of_one_user(store: Store) -> None:
    async def scene() -> None:
        for name in ("g1", "g2", "g3"):
            await store.put_grant(make_grant(name), keep=9)
        await store.put_grant(make_grant("bob", user="bob"), keep=9)
        assert await store.revoke_grants("alice", "bob") == 0
        assert await store.revoke_grants("alice", "g2") == 1
        assert await store.revoke_grants("alice", "g2") == 0
        assert await store.grant("g2") is None
        assert await store.use_grant("g2") is False
        assert await store.revoke_grants("alice") == 2
        assert await store.revoke_grants("alice") == 0
        assert await _held(store) == []
        assert await _held(store, "bob") == ["bob"]
        await store.put_grant(make_grant("g2", session="s2"), keep=9)
        assert await store.grant("g2") == make_grant("g2", session="s2")

    asyncio.run(scene())
