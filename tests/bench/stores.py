"""Steps a second of each store, beside the raw client's own round trip: ``python -m tests.bench.stores``.

The base of a server's rows is what its bare client takes to ask for the same record (the script of ``grant`` by
EVALSHA; a row by its key), over one connection, one after the other; PING stands beside it. The aim is at least 0.7
of the base for every step a decision needs. Ratios are taken inside interleaved rounds.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
from redis.asyncio import Redis

from stepup_mw.state import Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.redis.names import Names, digest
from stepup_mw.stores.redis.scripts import script
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing.records import ACCOUNT, ADDRESS, keep_grant, make_challenge, make_factor, make_grant

from ..servers import PostgresServer, RedisServer
from .rounds import Case, interleave, table

ROUNDS = 15
Step = Callable[[], Awaitable[Any]]


def _steps(store: Store) -> dict[str, Step]:
    """What decisions ask for, each changing or finding something."""
    numbers = itertools.count(1)

    async def guess() -> None:
        await store.take_attempt("bob", "", now=1000.0, account=ACCOUNT, limit=ADDRESS)

    async def opened() -> None:
        number = next(numbers)
        challenge = make_challenge(f"n{number}", user="carol", created_at=1000.0 + number, expires_at=1e9)
        for evicted in await store.open_challenge(challenge, keep=4):
            await store.mark_logged(evicted.challenge_id)

    return {
        "grant": lambda: store.grant("g1"),
        "use_grant": lambda: store.use_grant("g1"),
        "factors": lambda: store.factors("alice"),
        "consume_step": lambda: store.consume_step("alice", "f1", next(numbers)),
        "take_attempt (locked)": guess,
        "challenge": lambda: store.challenge("c1"),
        "count_attempt": lambda: store.count_attempt("c1", limit=10**9),
        "hits": lambda: store.hits("k", now=float(next(numbers)), window_s=20, record=True),
        "open_challenge + mark_logged": opened,
    }


async def _fill(store: Store) -> None:
    await store.put_factor(make_factor(), [])
    await keep_grant(store, make_grant(uses_left=10**12, expires_at=1e12))
    await store.open_challenge(make_challenge(expires_at=1e12), keep=9)
    for _ in range(5):
        await store.take_attempt("bob", "", now=1000.0, account=ACCOUNT, limit=ADDRESS)


def _case(runner: asyncio.Runner, step: Step) -> Case:
    async def many(count: int) -> None:
        for _ in itertools.repeat(None, count):
            await step()

    return lambda count: runner.run(many(count))


async def _each_once(steps: dict[str, Step]) -> None:
    """From the last to the first: the server learns a script from the store before the bare client asks for it."""
    for step in reversed(steps.values()):
        await step()


def _rows(name: str, runner: asyncio.Runner, store: Store, *bases: tuple[str, Step]) -> list[list[str]]:
    runner.run(_fill(store))
    steps = dict(bases) | _steps(store)
    runner.run(_each_once(steps))
    cases = {label: _case(runner, step) for label, step in steps.items()}
    rows = []
    for label, figures in interleave(cases, rounds=ROUNDS).items():
        share = f"{1 / figures.ratio:.2f}" if bases else "-"
        rows.append([f"{name} {label}", f"{1e9 / figures.median:,.0f}", f"{figures.median / 1000:.1f}", share])
    runner.run(store.aclose())
    return rows


def main() -> None:
    rows: list[list[str]] = []
    folder = Path(tempfile.mkdtemp(prefix="stepup-bench-"))
    with asyncio.Runner() as runner:
        rows += _rows("memory", runner, MemoryStore())
        rows += _rows("sqlite", runner, SqliteStore(folder / "state.db"))
        for kind in ("redis-6.2", "redis-7.0", "valkey-8"):
            server = RedisServer(kind, "--appendonly", "no")
            raw = Redis(port=server.port, protocol=2)
            words = (
                "EVALSHA",
                script("grant").sha,
                1,
                Names("stepup").grant(digest("id", "g1")),
                "index",
                digest("id", "g1"),
            )
            store = RedisStore(server.url("?timeout=10"))
            bases: list[tuple[str, Step]] = [
                ("client: EVALSHA", lambda raw=raw, words=words: raw.execute_command(*words)),  # type: ignore[misc]
                ("client: PING", raw.ping),
            ]
            rows += _rows(kind, runner, store, *bases)
            runner.run(raw.aclose())
            server.kill()
        postgres = PostgresServer()
        connection = runner.run(psycopg.AsyncConnection.connect(postgres.url(), autocommit=True))

        async def select() -> object:
            query = "SELECT body, uses_left FROM stepup.granted WHERE grant_id = %s"
            return await (await connection.execute(query, (b"g1",))).fetchall()

        last = PostgresStore(postgres.url("?timeout=10"))
        rows += _rows("postgres", runner, last, ("client: SELECT", select))
        runner.run(connection.close())
        postgres.kill()
    print(table("step | a second | us | of the client", rows))


if __name__ == "__main__":
    main()
