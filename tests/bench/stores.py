"""Steps a second of each store, beside the raw client's own round trip: ``python -m tests.bench.stores``.

The base of a server's row is what its bare client takes, over one connection, one after the other, for one round trip
of the same kind: for what only reads, to ask for the same record (the script of ``grant`` by EVALSHA; a row by its
key); for what changes something, to change one record as durably (HSET; an UPDATE of one row that is committed to
stable storage). The aim is at least 0.7 of the base for every step a decision needs. Ratios are taken inside
interleaved rounds. What follows is one verify from end to end: a whole service in this process, a code judged and
taken, its lines written.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
from redis.asyncio import Redis

from stepup_mw.settings import AccountThrottle
from stepup_mw.state import Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.redis.names import Names, digest
from stepup_mw.stores.redis.scripts import script
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing.records import ADDRESS, keep_grant, make_challenge, make_factor, make_grant

from ..invariants.world import StoreKind, World
from ..servers import SERVERS, PostgresServer, RedisServer
from .rounds import Case, interleave, table

ROUNDS = 15
VERIFIES = 40
NEVER = AccountThrottle(failures=10**8, lock_s=30, grow=2.0, max_lock_s=100, ceiling=10**9)
"""No attempt of these locks."""
Rows = list[list[str]]
Step = Callable[[], Awaitable[Any]]


def _reads(store: Store) -> dict[str, Step]:
    return {
        "grant": lambda: store.grant("g1"),
        "factors": lambda: store.factors("alice"),
        "challenge": lambda: store.challenge("c1"),
        "failures": lambda: store.failures("bob"),
    }


def _writes(store: Store) -> dict[str, Step]:
    """Each changes something every time."""
    numbers = itertools.count(1)

    async def opened() -> None:
        number = next(numbers)
        challenge = make_challenge(f"n{number}", user="carol", created_at=1000.0 + number, expires_at=1e9)
        for evicted in await store.open_challenge(challenge, keep=4):
            await store.mark_logged(evicted.challenge_id)

    async def guess(address: str) -> None:
        now = 1000.0 + 60 * next(numbers)
        await store.take_attempt("bob", address, now=now, account=NEVER, limit=ADDRESS)

    return {
        "use_grant": lambda: store.use_grant("g1"),
        "consume_step": lambda: store.consume_step("alice", "f1", next(numbers)),
        "take_attempt": lambda: guess(""),
        "take_attempt, address too": lambda: guess("ip"),
        "count_attempt": lambda: store.count_attempt("c1", limit=10**9),
        "hits": lambda: store.hits("k", now=float(next(numbers)), window_s=20, record=True),
        "open_challenge + mark_logged": opened,
    }


async def _fill(store: Store) -> None:
    await store.put_factor(make_factor(), [])
    await keep_grant(store, make_grant(uses_left=10**12, expires_at=1e12))
    await store.open_challenge(make_challenge(expires_at=1e12), keep=9)


def _case(runner: asyncio.Runner, step: Step) -> Case:
    async def many(count: int) -> None:
        for _ in itertools.repeat(None, count):
            await step()

    return lambda count: runner.run(many(count))


async def _each_once(steps: dict[str, Step]) -> None:
    """From the last to the first: the server learns a script from the store before the bare client asks for it."""
    for step in reversed(steps.values()):
        await step()


def _rows(name: str, runner: asyncio.Runner, store: Store, read: Step | None = None, write: Step | None = None) -> Rows:
    runner.run(_fill(store))
    rows = []
    for steps, base, label in ((_reads(store), read, "read"), (_writes(store), write, "write")):
        whole = ({f"client: one {label}": base} if base else {}) | steps
        runner.run(_each_once(whole))
        cases = {what: _case(runner, step) for what, step in whole.items()}
        for what, figures in interleave(cases, rounds=ROUNDS).items():
            share = f"{1 / figures.ratio:.2f}" if base else "-"
            rows.append([f"{name} {what}", f"{1e9 / figures.median:,.0f}", f"{figures.median / 1000:.1f}", share])
    runner.run(store.aclose())
    return rows


def _redis(runner: asyncio.Runner, kind: str) -> Rows:
    server = RedisServer(kind, "--appendonly", "no")
    raw = Redis(port=server.port, protocol=2)
    ask: Callable[..., Awaitable[Any]] = raw.execute_command
    words = ("EVALSHA", script("grant").sha, 1, Names("stepup").grant(digest("id", "g1")), "index", digest("id", "g1"))
    store = RedisStore(server.url("?timeout=10"))
    rows = _rows(kind, runner, store, lambda: ask(*words), lambda: raw.hset("raw", "field", "1"))
    runner.run(raw.aclose())
    server.kill()
    return rows


def _postgres(runner: asyncio.Runner) -> Rows:
    """With fsync: a commit is on stable storage, for the bare client and for us."""
    server = PostgresServer(durable=True)
    raw = runner.run(psycopg.AsyncConnection.connect(server.url(), autocommit=True))
    runner.run(
        raw.execute("CREATE TABLE raw (who bytea PRIMARY KEY, number bigint); INSERT INTO raw VALUES ('bob', 0)")
    )

    async def ask(query: str, who: bytes) -> object:
        return await (await raw.execute(query.encode(), (who,))).fetchall()

    rows = _rows(
        "postgres",
        runner,
        PostgresStore(server.url("?timeout=10")),
        lambda: ask("SELECT body, uses_left FROM stepup.granted WHERE grant_id = %s", b"g1"),
        lambda: ask("UPDATE raw SET number = number + 1 WHERE who = %s RETURNING number", b"bob"),
    )
    runner.run(raw.close())
    server.kill()
    return rows


def _verify(kind: StoreKind) -> list[str]:
    """One code for one challenge, 200 at the end; what the store was asked for it."""
    with tempfile.TemporaryDirectory(prefix="stepup-bench-") as folder:
        world = World(folder=Path(folder), store=kind, durability="write")
        world.enroll("alice")
        taken_ns, asked = [], 0
        for _ in range(VERIFIES):
            world.clock.now += 301
            challenge, code = world.post("alice", "/transfer"), world.code("alice")
            world.stage.faulty_store.fail_after = 1000
            begun = time.perf_counter_ns()
            answer = world.verify("alice", challenge, code)
            taken_ns.append(time.perf_counter_ns() - begun)
            asked = 1000 - (world.stage.faulty_store.fail_after or 0)
            world.stage.faulty_store.fail_after = None
            assert answer.status == 200, answer.body
        world.close()
    return [f"one verify, {kind}", f"{statistics.median(taken_ns) / 1e6:.2f}", str(asked)]


def main() -> None:
    rows: Rows = []
    folder = Path(tempfile.mkdtemp(prefix="stepup-bench-"))
    with asyncio.Runner() as runner:
        rows += _rows("memory", runner, MemoryStore())
        rows += _rows("sqlite", runner, SqliteStore(folder / "state.db"))
        for kind in SERVERS:
            rows += _redis(runner, kind)
        rows += _postgres(runner)
    print(table("step | a second | us | of the client", rows))
    print()
    kinds: tuple[StoreKind, ...] = ("memory", "sqlite", "valkey-8", "postgres")
    print(table("from end to end | ms | steps of the store", [_verify(kind) for kind in kinds]))


if __name__ == "__main__":
    main()
