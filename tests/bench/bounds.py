"""Whether a store grows under one user who never stops: ``python -m tests.bench challenges``, and ``bounds``.

A million challenges on every store, half an hour each; and with ``bounds`` everything else, a million of each in memory
and a tenth or less on the others (the table says how many). What is there is counted by the store's own server or file:
entries (keys with their members, rows) and bytes, after the first hundredth and after all. A row grows where the second
count is the larger. ``--rounds N`` below nine takes N hundredths of it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from redis import Redis

from stepup_mw.gate.challenges import KEEP_OPEN
from stepup_mw.gate.grants import KEEP
from stepup_mw.gate.kept import KEEP as KEEP_REQUESTS
from stepup_mw.gate.whereabouts import KEEP_SIGHTINGS
from stepup_mw.state import Kept, Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing.records import ACCOUNT, ADDRESS, keep_grant, make_challenge, make_grant

from ..servers import PostgresServer, RedisServer
from .rounds import table

AT_ONCE = 64
MILLION = 1_000_000
Act = Callable[[Store, int], Awaitable[object]]


async def _challenge(store: Store, number: int) -> None:
    """Asked for and left; those that fall out are put on record."""
    now = 1000.0 + number / 1000
    asked = make_challenge(f"c{number}", created_at=now, expires_at=now + 300)
    for old in await store.open_challenge(asked, keep=KEEP_OPEN) or ():
        await store.mark_logged(old.challenge_id)


async def _grant(store: Store, number: int) -> None:
    now = 1000.0 + number / 1000
    await keep_grant(store, make_grant(f"g{number}", proved_at=now, expires_at=now + 300), keep=KEEP)


async def _device(store: Store, number: int) -> None:
    await store.remember("alice", "device", f"d{number}", now=1000.0 + number / 1000, keep=KEEP_SIGHTINGS)


async def _address_seen(store: Store, number: int) -> None:
    await store.remember("alice", "network", f"n{number}", now=1000.0 + number / 1000, keep=KEEP_SIGHTINGS)


async def _form(store: Store, number: int) -> None:
    now = 1000.0 + number / 1000
    kept = Kept(kept_id=f"k{number}", user="alice", sealed=b"x" * 1000, expires_at=now + 300)
    await store.keep_request(kept, now=now, limit=KEEP_REQUESTS)


async def _guess(store: Store, number: int) -> None:
    """From an address never seen before, whenever the account is not locked."""
    await store.take_attempt("alice", f"ip{number}", now=1000.0 + number * 10, account=ACCOUNT, limit=ADDRESS)


async def _success(store: Store, number: int) -> None:
    await store.take_attempt("bob", f"ip{number}", now=1000.0 + number, account=ACCOUNT, limit=ADDRESS)
    await store.forgive("bob", f"ip{number}")


async def _hit(store: Store, number: int) -> None:
    await store.hits("burst", now=1000.0 + number / 1000, window_s=60, record=True)


ACTS: dict[str, Act] = {
    "challenges": _challenge,
    "grants": _grant,
    "devices": _device,
    "networks seen": _address_seen,
    "forms kept": _form,
    "guesses, each from a new address": _guess,
    "right codes, each from a new address": _success,
    "requests of a burst": _hit,
}


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A store of its own. ``size``: entries and bytes. ``others``: how many of everything but challenges."""

    name: str
    store: Store
    size: Callable[[], tuple[int, int]]
    others: int = MILLION


async def fill(shelf: Shelf, act: Act, many: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Do it so often, many at once, one after the other for memory; the sizes after a hundredth and after all."""
    early, at_once = min(max(many // 100, 1000), many), 1 if isinstance(shelf.store, MemoryStore) else AT_ONCE

    async def some(first: int, last: int) -> tuple[int, int]:
        alone = max(last - AT_ONCE, first)  # the last ones, so that none is left over for a next one to drop
        for number in range(first, alone, at_once):
            await asyncio.gather(*(act(shelf.store, each) for each in range(number, min(number + at_once, alone))))
        for number in range(alone, last):
            await act(shelf.store, number)
        await shelf.store.due_challenges(now=1000.0 + last / 1000, grace_s=30.0, limit=256)
        return await asyncio.to_thread(shelf.size)

    return await some(0, early), await some(early, many)


def memory() -> Shelf:
    store = MemoryStore()
    return Shelf(name="memory", store=store, size=lambda: _held(store, set()))


def _held(value: object, seen: set[int]) -> tuple[int, int]:
    """Every entry of every container below an object, and the bytes of all that is there."""
    if id(value) in seen:
        return 0, 0
    seen.add(id(value))
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set):
        inner = list(value)
    else:
        slots = getattr(type(value), "__slots__", ())
        inner = [*getattr(value, "__dict__", {}).values(), *(getattr(value, name, None) for name in slots)]
    entries = len(value) if isinstance(value, dict | list | set) else 0
    below = [_held(each, seen) for each in inner]
    return entries + sum(each for each, _ in below), sys.getsizeof(value) + sum(each for _, each in below)


def valkey(kind: str = "valkey-8") -> Shelf:
    server = RedisServer(kind, "--appendonly", "no")

    def size() -> tuple[int, int]:
        client: Redis = Redis(port=server.port)
        sizes: dict[object, Callable[..., int]] = {b"hash": client.hlen, b"zset": client.zcard, b"set": client.scard}
        keys = list(client.scan_iter(count=1000))
        kinds = {key: client.type(key) for key in keys}
        entries = sum(sizes[each](key) if each in sizes else 1 for key, each in kinds.items())
        return entries, sum(client.memory_usage(key) or 0 for key in keys)

    return Shelf(name=kind, store=RedisStore(server.url("?timeout=10")), size=size, others=MILLION // 10)


def sqlite(folder: Path) -> Shelf:
    path = folder / "state.db"

    def size() -> tuple[int, int]:
        with sqlite3.connect(path) as db:
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = sum(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names)  # noqa: S608
        db.close()
        return rows, sum(each.stat().st_size for each in folder.glob("state.db*"))

    return Shelf(name="SQLite", store=SqliteStore(path), size=size, others=MILLION // 50)


def postgres() -> Shelf:
    server = PostgresServer()

    def size() -> tuple[int, int]:
        with psycopg.connect(server.url(), autocommit=True) as db:
            found = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'stepup'").fetchall()
            rows = size = 0
            for (name,) in found:
                db.execute(f"VACUUM stepup.{name}".encode())
                asked = f"SELECT count(*), pg_total_relation_size('stepup.{name}') FROM stepup.{name}"  # noqa: S608
                row = db.execute(asked.encode()).fetchone()
                rows, size = rows + (row or (0, 0))[0], size + (row or (0, 0))[1]
        return rows, size

    store = PostgresStore(server.url("?timeout=10"))
    return Shelf(name="PostgreSQL", store=store, size=size, others=MILLION // 50)


def measure_challenges(rounds: int) -> str:
    """A million on every store."""
    return _table(rounds, lambda _: {"challenges": MILLION})


def measure(rounds: int) -> str:
    """Everything else."""
    return _table(rounds, lambda shelf: {name: shelf.others for name in ACTS if name != "challenges"})


def _table(rounds: int, asked: Callable[[Shelf], Mapping[str, int]]) -> str:
    rows = []
    part = min(rounds, 9) / 9 if rounds >= 9 else rounds / 100
    with tempfile.TemporaryDirectory(prefix="stepup-bench-") as folder, asyncio.Runner() as runner:
        for make in (memory, valkey, lambda: sqlite(Path(folder)), postgres):
            shelf = make()
            for name, many in asked(shelf).items():
                early, late = runner.run(fill(shelf, ACTS[name], int(many * part)))
                times = f"{int(many * part):,}"
                rows.append([f"{shelf.name} {name}", times, *(f"{each:,}" for each in (*early, *late))])
                print(rows[-1], file=sys.stderr, flush=True)
            runner.run(shelf.store.aclose())
    return table("one user, all in one store | times | entries after 1 % | bytes | entries after all | bytes", rows)
