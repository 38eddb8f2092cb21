from __future__ import annotations

import asyncio

from stepup_mw.state import Sighting, Store
from stepup_mw.stores.bounds import HITS_KEPT
from stepup_mw.stores.memory.hits import Hits

from .samples import ACCOUNT, ADDRESS


def test_a_value_is_known_to_the_user_and_kind_it_was_seen_with(store: Store) -> None:
    async def scene() -> None:
        assert await store.sighting("alice", "device", "d1") == Sighting(known=False, any=False)
        await store.remember("alice", "device", "d1", now=1.0, keep=3)
        assert await store.sighting("alice", "device", "d1") == Sighting(known=True, any=True)
        assert await store.sighting("alice", "device", "d2") == Sighting(known=False, any=True)
        assert await store.sighting("alice", "network", "d1") == Sighting(known=False, any=False)
        assert await store.sighting("bob", "device", "d1") == Sighting(known=False, any=False)

    asyncio.run(scene())


def test_the_values_seen_longest_ago_go_first(store: Store) -> None:
    async def known() -> str:
        return "".join([name for name in "abcdef" if (await store.sighting("alice", "device", name)).known])

    async def scene() -> None:
        for moment, name in enumerate("abc"):
            await store.remember("alice", "device", name, now=float(moment), keep=3)
            await store.remember("alice", "network", name, now=float(moment), keep=3)
        await store.remember("alice", "device", "a", now=5.0, keep=3)
        await store.remember("alice", "device", "d", now=6.0, keep=3)
        assert await known() == "acd"
        await store.remember("alice", "device", "e", now=0.0, keep=3)
        assert await known() == "ade"
        await store.remember("alice", "device", "f", now=6.0, keep=1)
        assert await known() == "f"
        assert (await store.sighting("alice", "network", "b")).known

    asyncio.run(scene())


def test_hits_are_counted_in_a_sliding_window_with_this_one(store: Store) -> None:
    async def scene() -> None:
        counts = [await store.hits("k", now=now, window_s=60, record=True) for now in (100.0, 100.0, 130.5, 159.9)]
        assert counts == [1, 2, 3, 4]
        assert await store.hits("k", now=160.0, window_s=60, record=False) == 3
        assert await store.hits("k", now=160.0, window_s=60, record=False) == 3
        assert await store.hits("k", now=160.0, window_s=60, record=True) == 3
        assert await store.hits("other", now=160.0, window_s=60, record=False) == 1
        assert await store.hits("k", now=220.0, window_s=60, record=False) == 1

    asyncio.run(scene())


def test_hits_and_attempts_of_an_address_are_apart(store: Store) -> None:
    async def scene() -> None:
        await store.hits("ip", now=100.0, window_s=60, record=True)
        await store.take_attempt("alice", "ip", now=100.0, account=ACCOUNT, limit=ADDRESS)
        await store.forgive("alice", "ip")
        await store.forgive("alice", "ip")
        assert await store.hits("ip", now=100.0, window_s=60, record=False) == 2

    asyncio.run(scene())


def test_the_count_stops_at_the_cap_and_keeps_the_newest() -> None:
    hits = Hits()
    for number in range(HITS_KEPT + 500):
        hits.add("k", now=float(number), window_s=10**9)
    kept = hits.since("k", -1.0)
    assert len(kept) == HITS_KEPT
    assert kept[0] == 500.0
