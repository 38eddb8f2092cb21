"""Nothing that one user, address or device can do makes a store grow beyond its caps."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stepup_mw.gate.challenges import KEEP_OPEN
from stepup_mw.gate.grants import KEEP
from stepup_mw.gate.whereabouts import KEEP_SIGHTINGS
from stepup_mw.state import MAX_FACTORS, Grant, Store
from stepup_mw.stores.bounds import HITS_KEPT, SETTLED_KEPT, SETTLED_KEPT_S
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.sqlite import SqliteStore

from ..contract.samples import ACCOUNT, ADDRESS, keep_grant, make_challenge, make_factor, make_grant


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A store, and how many rows it has, everything counted."""

    store: Store
    size: Callable[[], int]


def _rows(path: Path) -> int:
    db = sqlite3.connect(path)
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = sum(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names)  # noqa: S608 - our own names
    db.close()
    return int(found)


def _held(value: object, seen: set[int]) -> int:
    """Every entry of every dict, list and set below an object."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, dict):
        return len(value) + sum(_held(each, seen) for each in value.values())
    if isinstance(value, list | tuple | set) and not isinstance(value, Grant):  # a grant is one entry, of the one above
        return len(value) + sum(_held(each, seen) for each in value)
    inner = getattr(value, "__dict__", None)
    return sum(_held(each, seen) for each in inner.values()) if inner else 0


@pytest.fixture(params=["memory", "sqlite"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "memory":
        memory = MemoryStore()
        return Shelf(store=memory, size=lambda: _held(memory, set()))
    return Shelf(store=SqliteStore(tmp_path / "state.db"), size=lambda: _rows(tmp_path / "state.db"))


async def _ask_and_leave(store: Store, number: int) -> None:
    """Open a challenge, as a client that never comes back does; those that fall out are put on record."""
    asked = make_challenge(f"c{number}", created_at=1000.0 + number, expires_at=9e9)
    for old in await store.open_challenge(asked, keep=KEEP_OPEN) or ():
        await store.mark_logged(old.challenge_id)


async def _ask_and_cancel(store: Store, number: int) -> None:
    await store.open_challenge(make_challenge(f"c{number}", created_at=1000.0 + number), keep=KEEP_OPEN)
    await store.settle_challenge(f"c{number}", "denied", now=1000.0 + number)
    await store.mark_logged(f"c{number}")


async def _prove(store: Store, number: int) -> None:
    await keep_grant(store, make_grant(f"g{number}", proved_at=1000.0 + number, expires_at=9e9), keep=KEEP)


async def _come_with_a_new_device(store: Store, number: int) -> None:
    await store.remember("alice", "device", f"d{number}", now=1000.0 + number, keep=KEEP_SIGHTINGS)


async def _travel(store: Store, number: int) -> None:
    await store.put_place("alice", f"{number}".encode(), now=1000.0 + number)


async def _guess(store: Store, number: int) -> None:
    await store.take_attempt("alice", "ip", now=1000.0 + number, account=ACCOUNT, limit=ADDRESS)
    await store.spaced_attempt("alice", number)


async def _guess_and_succeed(store: Store, number: int) -> None:
    await store.take_attempt("alice", f"ip{number}", now=1000.0 + 700 * number, account=ACCOUNT, limit=ADDRESS)
    await store.forgive("alice", f"ip{number}")


async def _revoke(store: Store, number: int) -> None:
    await keep_grant(store, make_grant(f"g{number}"))
    await store.revoke_grants("alice")


async def _log_out_a_stranger(store: Store, number: int) -> None:
    await store.revoke_grants(f"stranger{number}")


async def _enroll(store: Store, number: int) -> None:
    await store.put_factor(make_factor(factor_id=f"f{number}"), [f"r{n}" for n in range(10)])


async def _add(store: Store, number: int) -> None:
    await store.add_factor(make_factor(factor_id=f"f{number}"))


async def _renew_codes(store: Store, number: int) -> None:
    await store.put_recovery("alice", [f"r{number}-{n}" for n in range(10)])


async def _hit(store: Store, number: int) -> None:
    await store.hits("burst", now=1000.0 + number, window_s=60, record=True)


Act = Callable[[Store, int], Awaitable[None]]


@pytest.mark.parametrize(
    ("act", "cap"),
    [
        pytest.param(_ask_and_leave, 20 * (KEEP_OPEN + SETTLED_KEPT + 1), id="challenges left open"),
        pytest.param(_ask_and_cancel, 20 * (SETTLED_KEPT + 2), id="challenges cancelled"),
        pytest.param(_prove, 20 * KEEP, id="grants"),
        pytest.param(_come_with_a_new_device, 2 * KEEP_SIGHTINGS + 20, id="devices"),
        pytest.param(_travel, 20, id="places"),
        pytest.param(_guess, 3 * ADDRESS.failures + 30, id="guesses"),
        pytest.param(_guess_and_succeed, 40, id="successes from ever new addresses"),
        pytest.param(_revoke, 40, id="revocations"),
        pytest.param(_log_out_a_stranger, 20, id="log-outs of users without a factor"),
        pytest.param(_enroll, 60, id="enrollments"),
        pytest.param(_add, 20 * MAX_FACTORS, id="factors"),
        pytest.param(_renew_codes, 40, id="recovery codes"),
        pytest.param(_hit, 4 * 121 + 20, id="hits"),
    ],
)
def test_a_user_who_never_stops_takes_no_more_room(shelf: Shelf, act: Act, cap: int) -> None:
    """By the thousand in memory; on disk often enough to go well beyond every cap."""

    async def scene(begin: int, end: int) -> None:
        for number in range(begin, end):
            await act(shelf.store, number)

    many = 3000 if isinstance(shelf.store, MemoryStore) else 260
    asyncio.run(scene(0, many // 2))
    half = shelf.size()
    asyncio.run(scene(many // 2, many))
    assert shelf.size() <= min(cap, half + half // 2 + 40), "it goes on growing"
    asyncio.run(shelf.store.aclose())


def test_what_has_ended_goes_when_its_time_is_over(shelf: Shelf) -> None:
    async def scene() -> None:
        store = shelf.store
        empty = shelf.size()
        for number in range(20):
            await _ask_and_cancel(store, number)
            await _prove(store, number)
            await _hit(store, number)
        await store.revoke_grants("alice")
        await store.due_challenges(now=1100.0 + SETTLED_KEPT_S, grace_s=30.0, limit=99)
        await store.hits("burst", now=5000.0, window_s=60, record=True)
        assert shelf.size() <= empty + 20
        await store.aclose()

    asyncio.run(scene())


def test_the_newest_that_ended_still_say_so(shelf: Shelf) -> None:
    async def scene() -> None:
        for number in range(SETTLED_KEPT + 20):
            await _ask_and_cancel(shelf.store, number)
        found = [await shelf.store.challenge(f"c{number}") is not None for number in range(SETTLED_KEPT + 20)]
        assert found == [False] * 19 + [True] * (SETTLED_KEPT + 1)
        await shelf.store.aclose()

    asyncio.run(scene())


def test_the_caps() -> None:
    """One place to see them; a change of any is a change of what a user can make the store hold."""
    caps = {
        "open challenges": KEEP_OPEN,
        "ended challenges": SETTLED_KEPT,
        "ended challenges, seconds": SETTLED_KEPT_S,
        "grants": KEEP,
        "devices or networks": KEEP_SIGHTINGS,
        "factors": MAX_FACTORS,
        "hits of one key": HITS_KEPT,
    }
    assert caps == {
        "open challenges": 32,
        "ended challenges": 64,
        "ended challenges, seconds": 3600,
        "grants": 64,
        "devices or networks": 50,
        "factors": 10,
        "hits of one key": 10_000,
    }
