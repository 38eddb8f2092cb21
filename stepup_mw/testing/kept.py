"""Promises about requests that are kept for after the code."""

from __future__ import annotations

import asyncio

from ..state import Kept, Store
from .promises import promise, same
from .records import STRANGE


def _kept(
    kept_id: str = "k1", user: str = "alice", *, sealed: bytes = b"\0sea led\n\xff", until: float = 1300.5
) -> Kept:
    return Kept(kept_id=kept_id, user=user, sealed=sealed, expires_at=until)


async def _there(store: Store, *names: str, user: str = "alice", now: float = 1001.0) -> list[str]:
    return [name for name in names if await store.kept_request(user, name, now=now) is not None]


@promise
async def a_kept_request_comes_back_to_its_user(store: Store) -> None:
    """A request comes back byte by byte, to its own user only, and looking at it takes nothing."""
    for kept in (_kept(), _kept("k2", STRANGE, sealed=bytes(range(256)) * 300), _kept("k3", sealed=b"")):
        await store.keep_request(kept, now=1000.0, limit=4)
        same([await store.kept_request(kept.user, kept.kept_id, now=1001.0) for _ in range(2)], [kept, kept])
    for user, kept_id in (("bob", "k1"), ("alice", "k2"), ("alice", "nothing")):
        same(await store.kept_request(user, kept_id, now=1001.0), None)
        same(await store.take_request(user, kept_id, now=1001.0), None, "taken by another")
    same(await _there(store, "k1", "k3"), ["k1", "k3"])


@promise
async def a_kept_request_is_taken_once(store: Store) -> None:
    """take_request gives a request to exactly one caller, ever; what takes its place is another."""
    await store.keep_request(_kept(), now=1000.0, limit=4)
    taken = await asyncio.gather(*(store.take_request("alice", "k1", now=1001.0) for _ in range(8)))
    same([kept for kept in taken if kept is not None], [_kept()])
    same(await _there(store, "k1"), [])
    again = _kept(sealed=b"again")
    await store.keep_request(again, now=1000.0, limit=4)
    await store.keep_request(_kept("k2"), now=1000.0, limit=4)
    same(await store.take_request("alice", "k1", now=1001.0), again)
    same(await _there(store, "k1", "k2"), ["k2"])


@promise
async def a_kept_request_has_an_end(store: Store) -> None:
    """A request past its end is there for nobody; where it stands in the way of none it may be dropped."""
    await store.keep_request(_kept("short", until=1100.0), now=1000.0, limit=4)
    same([await _there(store, "short", now=now) for now in (1099.9, 1100.0)], [["short"], []])
    same(await store.take_request("alice", "short", now=1100.0), None)
    await store.keep_request(_kept("next"), now=1200.0, limit=4)
    same(await _there(store, "short", "next", now=1001.0), ["next"], "after the next")


@promise
async def a_user_has_so_many_kept_requests(store: Store) -> None:
    """A user has at most ``limit`` requests: the oldest go, another's stay."""
    await store.keep_request(_kept("bob", "bob"), now=1000.0, limit=1)
    for number in range(5):
        await store.keep_request(_kept(f"k{number}", until=1400.0 - number), now=1000.0, limit=3)
    same(await _there(store, "k0", "k1", "k2", "k3", "k4"), ["k2", "k3", "k4"])
    await store.keep_request(_kept("k5"), now=1000.0, limit=1)
    same(await _there(store, "k2", "k3", "k4", "k5"), ["k5"])
    same(await _there(store, "bob", user="bob"), ["bob"])
