"""Steps of each store beside its bare client: ``python -m tests.bench.stores [--rounds N]``, some three minutes.

Three tables. The first stands in the README: how many steps a second a store takes, of what its bare client does of
the very same commands, and of what it does of the plainest round trip of that kind (see ``bare``). A figure is the
median over short rounds, in each of which all that is compared runs once; half of the rounds lie between the two
beside it. The aim is 0.7 of the same commands, for every step that asks a server or is synced. SQLite's last column is
what a server has, a crowd of tasks in flight (``replayed.TASKS``), beside the bare client that does nothing but the
same commands in place, one transaction after the other: a file has one writer at a time, so that is the most of it.
The second says what all that came to in this run: steps a second, and the CPU of this process beside its bare
client's. The third is one verify from end to end: a whole service in this process, a code judged and taken, its lines
written.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from stepup_mw.settings import AccountThrottle
from stepup_mw.state import FactorKind, Guess, SightingKind, Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing.records import (
    ADDRESS,
    keep_grant,
    make_challenge,
    make_earned,
    make_factor,
    make_grant,
    make_right,
    use,
)

from ..invariants.world import StoreKind, World
from ..servers import PostgresServer, RedisServer
from . import bare
from .bare import Bare, Step
from .replayed import Compared, Taken, measure, share
from .rounds import table

TOTP: tuple[FactorKind, ...] = ("totp",)
ROUNDS = 80
VERIFIES = 40
NEVER = AccountThrottle(failures=10**8, lock_s=30, grow=2.0, max_lock_s=100, ceiling=10**9)
"""No attempt of these locks."""
HEAD = (
    "a step, of the bare client's | Valkey 8: the same | GET, HSET | PostgreSQL: the same | a row read, committed | "
    "SQLite: the same | the same in a thread | a row read, synced | 16 in flight: the same"
)
Rows = list[list[str]]


def _reads(store: Store) -> dict[str, Step]:
    return {
        "shown": lambda: store.shown("alice", "d1", ("g1",)),
        "factors": lambda: store.factors("alice"),
        "challenge": lambda: store.challenge("c1"),
        "failures": lambda: store.failures("bob"),
        "epoch": lambda: store.epoch("alice"),
    }


def _writes(store: Store) -> dict[str, Step]:
    """Each changes something every time."""
    numbers, epochs = itertools.count(1), list[int]()

    async def opened() -> None:
        number = next(numbers)
        challenge = make_challenge(f"n{number}", user="carol", created_at=1000.0 + number, expires_at=1e9)
        for evicted in await store.open_challenge(challenge, keep=4, kinds=TOTP) or ():
            await store.mark_logged(evicted.challenge_id)

    async def tried() -> None:
        now = 1000.0 + 60 * next(numbers)
        await store.try_challenge(Guess("c1", "alice", "ip", now, 10**9, NEVER, ADDRESS))

    async def taken() -> None:
        number = next(numbers)
        await store.take_code(make_right(number, user="bob", told=f"told{number}", at=1000.0 + number))

    async def rewarded() -> None:
        """The epoch is begun by the first, so that the bare client begins the same one."""
        if not epochs:
            epochs.append(await store.epoch("dave"))
        number, at = next(numbers), 1000.0 + 60 * next(numbers)
        grant = make_grant(f"r{number}", user="dave", proved_at=at, expires_at=at + 300, epoch=epochs[0])
        network: tuple[SightingKind, str] = ("network", f"n{number % 9}")
        earned = make_earned(user="dave", challenge_id="none", at=at, address="ip2", grant=grant, seen=(network,))
        await store.reward(earned, keep_grants=4, keep_seen=50)

    return {
        "use_grant": lambda: use(store),
        "try_challenge": tried,
        "take_code": taken,
        "reward": rewarded,
        "hits": lambda: store.hits("k", now=float(next(numbers)), window_s=20, record=True),
        "open_challenge, mark_logged": opened,
    }


async def _fill(store: Store) -> None:
    for user in ("alice", "bob", "carol"):
        await store.put_factor(make_factor(user), [])
    await store.remember("alice", "device", "d1", now=1000.0, keep=9)
    await keep_grant(store, make_grant(uses_left=10**12, expires_at=1e12))
    await store.open_challenge(make_challenge(expires_at=1e12), keep=9)
    await store.epoch("alice")


async def _of_all(store: Store, twin: Store, one: Bare, rounds: int) -> dict[str, Taken]:
    """``twin`` is filled; both are closed."""
    await _fill(store)
    try:
        heard_reads, heard_writes, handed = _reads(twin), _writes(twin), one.hand_over is not None
        reads = {
            name: Compared(step=step, twin=heard_reads[name], plain=one.read) for name, step in _reads(store).items()
        }
        writes = {
            name: Compared(step=step, twin=heard_writes[name], plain=one.write, handed=handed)
            for name, step in _writes(store).items()
        }
        return await measure(reads | writes, one, rounds)
    finally:
        for each in (store, twin):
            await each.aclose()
        await one.close()


async def _fill_alike(store: Store) -> None:
    await _fill(store)
    await store.aclose()


async def _of_valkey(rounds: int) -> dict[str, Taken]:
    server = RedisServer("valkey-8", "--appendonly", "no")
    try:
        alike = f"redis://127.0.0.1:{server.port}/%d?timeout=10"
        await _fill_alike(RedisStore(alike % 1))
        one = await bare.redis(server.port)
        twin = RedisStore(alike % 2)
        await _fill(twin)
        return await _of_all(RedisStore(server.url("?timeout=10")), twin, one, rounds)
    finally:
        server.kill()


async def _of_postgres(rounds: int) -> dict[str, Taken]:
    """With fsync: a commit is on stable storage, for the bare client and for us."""
    server = PostgresServer(durable=True)
    try:
        second = await bare.another_database(server.url(), "second")
        twin = PostgresStore(f"{await bare.another_database(server.url(), 'twin')}?timeout=10")
        await _fill(twin)
        await _fill_alike(PostgresStore(f"{second}?timeout=10"))
        one = await bare.postgres(second)
        return await _of_all(PostgresStore(server.url("?timeout=10")), twin, one, rounds)
    finally:
        server.kill()


async def _of_sqlite(rounds: int) -> dict[str, Taken]:
    folder = Path(tempfile.mkdtemp(prefix="stepup-bench-"))
    try:
        await _fill_alike(SqliteStore(folder / "bare.db"))
        one = await bare.sqlite(folder / "bare.db")
        twin = SqliteStore(folder / "twin.db")
        with bare.audible_sqlite():
            await _fill(twin)
        return await _of_all(SqliteStore(folder / "state.db"), twin, one, rounds)
    finally:
        shutil.rmtree(folder)


async def _of_memory(rounds: int) -> dict[str, Taken]:
    store = MemoryStore()
    await _fill(store)
    return await measure(
        {name: Compared(step=step) for name, step in (_reads(store) | _writes(store)).items()}, None, rounds
    )


def _shares(stores: Mapping[str, Mapping[str, Taken]]) -> Rows:
    """The README's."""
    rows = []
    for step in stores["memory"]:
        valkey, postgres, sqlite = (stores[name][step] for name in ("valkey", "postgres", "sqlite"))
        servers = [share(each.store, side) for each in (valkey, postgres) for side in (each.same, each.plain)]
        file = [share(sqlite.store, side) for side in (sqlite.same, sqlite.handed, sqlite.plain)]
        rows.append([step, *servers, *file, share(sqlite.crowd, sqlite.crowd_same)])
    return rows


def _figures(stores: Mapping[str, Mapping[str, Taken]]) -> Rows:
    rows = []
    for name, steps in stores.items():
        for step, taken in steps.items():
            wall, cpu = statistics.median(taken.store), statistics.median(taken.store_cpu)
            client = share(taken.store_cpu, taken.same_cpu)
            crowd = f"{1 / statistics.median(taken.crowd):,.0f}" if taken.crowd else "-"
            rows.append([f"{name} {step}", f"{1 / wall:,.0f}", f"{wall * 1e6:.1f}", f"{cpu * 1e6:.1f}", client, crowd])
    return rows


def _verify(kind: StoreKind) -> list[str]:
    """One code for one challenge, 200 at the end; what the store was asked for it."""
    with tempfile.TemporaryDirectory(prefix="stepup-bench-") as folder:
        world = World(folder=Path(folder), store=kind, durability="write")
        world.enroll("alice")
        wall_s, cpu_s, asked = [], [], 0
        for _ in range(VERIFIES):
            world.clock.now += 301
            challenge, code = world.post("alice", "/transfer"), world.code("alice")
            world.stage.faulty_store.fail_after = 1000
            cpu, begun = time.process_time(), time.perf_counter()
            answer = world.verify("alice", challenge, code)
            wall_s.append(time.perf_counter() - begun)
            cpu_s.append(time.process_time() - cpu)
            asked = 1000 - (world.stage.faulty_store.fail_after or 0)
            world.stage.faulty_store.fail_after = None
            assert answer.status == 200, answer.body
        world.close()
    times = (f"{statistics.median(each) * 1000:.2f}" for each in (wall_s, cpu_s))
    return [f"one verify, {kind}", *times, str(asked)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stores", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds a step (default {ROUNDS})")
    rounds = parser.parse_args().rounds
    logging.disable(logging.WARNING)
    kinds = {"memory": _of_memory, "sqlite": _of_sqlite, "valkey": _of_valkey, "postgres": _of_postgres}
    with asyncio.Runner() as runner:
        stores = {name: runner.run(measured(rounds)) for name, measured in kinds.items()}
    print(table(HEAD, _shares(stores)))
    print()
    print(
        table(
            "step | a second | us | us of CPU | CPU, of the same command's | a second, 16 in flight", _figures(stores)
        )
    )
    print()
    services: tuple[StoreKind, ...] = ("memory", "sqlite", "valkey-8", "postgres")
    print(table("from end to end | ms | ms of CPU | steps of the store", [_verify(kind) for kind in services]))


if __name__ == "__main__":
    main()
