"""Every fault of a PostgreSQL server is a StoreUnavailable in time, allows nothing, and ends when the fault ends."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg
import pytest

from stepup_mw.errors import StoreUnavailable, Unsupported
from stepup_mw.settings import AccountThrottle
from stepup_mw.state import Kept, Store
from stepup_mw.stores.bounds import lock_until
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.postgres.people import lock_lengths
from stepup_mw.testing.records import attempt, keep_grant, make_challenge, make_factor, make_grant, use

from ..servers import PostgresServer
from .test_redis_faults import STEPS

TIMEOUT_S = 0.8
_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    made = PostgresServer()
    yield made
    made.kill()


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.url(f"?timeout={TIMEOUT_S}&schema=s{next(_numbers)}")


async def _fill(store: Store) -> None:
    await store.put_factor(make_factor(), ["r1"])
    await store.open_challenge(make_challenge(), keep=9)
    await keep_grant(store, make_grant(uses_left=1))


async def _refused(store: Store, name: str) -> float:
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as refusal:
        await STEPS[name](store)
    assert str(refusal.value).startswith("postgresql at 127.0.0.1:")
    return time.monotonic() - begun


def test_a_killed_server_refuses_at_once_and_a_started_one_goes_on(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        await asyncio.gather(*(store.grant("g1") for _ in range(20)))
        assert await store.consume_step("alice", "f1", 5)
        server.kill()
        for name in STEPS:
            assert await _refused(store, name) < TIMEOUT_S + 0.3, name
        server.start()
        assert await store.consume_step("alice", "f1", 5) is False
        assert await store.consume_step("alice", "f1", 6) is True
        assert (await store.grant("g1")) is not None
        await store.aclose()

    asyncio.run(scene())


def test_a_server_that_was_started_anew_meanwhile_is_not_noticed(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        await asyncio.gather(*(store.grant("g1") for _ in range(20)))
        server.kill()
        server.start()
        assert await store.consume_step("alice", "f1", 6) is True
        await store.aclose()

    asyncio.run(scene())


def test_a_paused_server_refuses_in_time_a_crowd_too(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        server.pause()
        try:
            begun = time.monotonic()
            found = await asyncio.gather(*(store.grant("g1") for _ in range(64)), return_exceptions=True)
            assert {type(each) for each in found} == {StoreUnavailable}
            assert time.monotonic() - begun < TIMEOUT_S + 0.5
            assert await _refused(store, "take_attempt") < TIMEOUT_S + 0.3
        finally:
            server.resume()
        assert (await store.grant("g1")) is not None
        await store.aclose()

    asyncio.run(scene())


def test_a_row_that_somebody_else_holds_is_waited_for_so_long_and_no_longer(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        schema = url.rpartition("=")[2]
        with psycopg.connect(server.url()) as other:
            other.execute(f"SELECT * FROM {schema}.factor FOR UPDATE")  # noqa: S608 - a name of ours
            assert await _refused(store, "consume_step") < TIMEOUT_S + 0.3
            assert (await store.grant("g1")) is not None, "a read waits for nobody"
        assert await store.consume_step("alice", "f1", 99) is True
        await store.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("ALTER SYSTEM SET default_transaction_read_only = on", "ALTER SYSTEM RESET default_transaction_read_only"),
        ("ALTER TABLE {s}.factor RENAME TO lost", "ALTER TABLE {s}.lost RENAME TO factor"),
        ("ALTER SCHEMA {s} RENAME TO lost_{s}", "ALTER SCHEMA lost_{s} RENAME TO {s}"),
    ],
    ids=["read only", "a table is gone", "all tables are gone"],
)
def test_an_answer_that_is_an_error_is_a_refusal(server: PostgresServer, url: str, begin: str, end: str) -> None:
    schema = url.rpartition("=")[2]

    def admin(statement: str) -> None:
        with psycopg.connect(server.url(), autocommit=True) as db:
            db.execute("SET default_transaction_read_only = off")
            db.execute(statement.replace("{s}", schema).encode())
            db.execute("SELECT pg_reload_conf()")
        time.sleep(0.2)

    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        admin(begin)
        try:
            await _refused(store, "consume_step")
        finally:
            admin(end)
        assert await store.consume_step("alice", "f1", 99) is True
        await store.aclose()

    asyncio.run(scene())


def test_tables_that_were_emptied_allow_nothing(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        assert await store.consume_step("alice", "f1", 50)
        with psycopg.connect(server.url(), autocommit=True) as db:
            db.execute(f"DROP SCHEMA {url.rpartition('=')[2]} CASCADE".encode())
        await _refused(store, "consume_step")
        await store.aclose()
        fresh = PostgresStore(url)
        assert await fresh.consume_step("alice", "f1", 50) is False
        assert await use(fresh) is False
        assert await fresh.settle_challenge("c1", "approved", now=1002.0) is False
        await fresh.aclose()

    asyncio.run(scene())


def test_many_begin_at_once(server: PostgresServer, url: str) -> None:
    async def one(number: int) -> tuple[Any, ...]:
        store = PostgresStore(url.replace(f"timeout={TIMEOUT_S}", "timeout=10"))
        await store.put_factor(make_factor(f"u{number}"), [])
        found = await store.factors(f"u{number}")
        await store.aclose()
        return found

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(asyncio.run, one(number)) for number in range(6)]
        assert [future.result() for future in futures] == [(make_factor(f"u{number}"),) for number in range(6)]


def test_tables_of_another_version_are_left_alone(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        with psycopg.connect(server.url(), autocommit=True) as db:
            db.execute("UPDATE {s}.about SET version = 999".replace("{s}", url.rpartition("=")[2]).encode())
        with pytest.raises(StoreUnavailable, match="version 999"):
            await PostgresStore(url).factors("alice")
        await store.aclose()

    asyncio.run(scene())


def test_tables_of_the_first_version_are_brought_up(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store, schema = PostgresStore(url), url.rpartition("=")[2]
        await _fill(store)
        with psycopg.connect(server.url(), autocommit=True) as db:
            for statement in ("DROP TABLE {s}.kept", "UPDATE {s}.about SET version = 1"):
                db.execute(statement.replace("{s}", schema).encode())
        later = [PostgresStore(url.replace(f"timeout={TIMEOUT_S}", "timeout=9")) for _ in range(4)]
        kept = Kept(kept_id="k1", user="alice", sealed=b"x", expires_at=2.0)
        await asyncio.gather(*(one.factors("alice") for one in later))
        await later[0].keep_request(kept, now=1.0, limit=4)
        assert await later[1].take_request("alice", "k1", now=1.0) == kept
        assert len(await later[2].factors("alice")) == 1
        for one in (store, *later):
            await one.aclose()

    asyncio.run(scene())


def test_a_child_process_has_connections_of_its_own(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        assert _in_a_child(store) == os.EX_OK
        assert await store.consume_step("alice", "f1", 5) is False
        await store.aclose()

    asyncio.run(scene())


def _in_a_child(store: Store) -> int:
    child = os.fork()
    if child == 0:
        code = os.EX_SOFTWARE
        try:
            asyncio.events._set_running_loop(None)
            code = os.EX_OK if asyncio.run(store.consume_step("alice", "f1", 5)) else os.EX_DATAERR
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_client_that_goes_away_in_the_middle_leaves_no_answer_for_the_next(server: PostgresServer, url: str) -> None:
    async def scene() -> None:
        store = PostgresStore(f"{url}&connections=1".replace(f"timeout={TIMEOUT_S}", "timeout=5"))
        await _fill(store)
        for number in range(40):
            task = asyncio.create_task(store.consume_step("alice", "f1", number))
            await asyncio.sleep(number * 0.00005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            grant = await store.grant("g1")
            assert grant is not None
            assert grant.grant_id == "g1"
        await store.aclose()

    asyncio.run(scene())


def test_an_option_that_libpq_does_not_know_is_refused_before_the_first_step() -> None:
    with pytest.raises(Unsupported):
        PostgresStore("postgresql://u:secret@db/bank?retries=3")


def test_locks_are_of_the_length_that_all_stores_give() -> None:
    account = AccountThrottle(failures=3, lock_s=7, grow=1.7, max_lock_s=500, ceiling=1000)
    found = lock_lengths(account)
    lengths = list(map(float, found.strip("{}").split(",")))
    assert [lock_until(3 * number, now=0.0, account=account) for number in range(1, len(lengths) + 1)] == lengths
    assert lengths[-1] == 500 > lengths[-2]


def test_attempts_are_counted_over_a_failed_commit(server: PostgresServer, url: str) -> None:
    """A step that was cut off has happened or has not; either way no attempt is allowed twice."""

    async def scene() -> None:
        store = PostgresStore(url)
        await _fill(store)
        allowed = 0
        for _ in range(12):
            task = asyncio.create_task(attempt(store, now=1000.0))
            await asyncio.sleep(0.001)
            task.cancel()
            (found,) = await asyncio.gather(task, return_exceptions=True)
            allowed += not isinstance(found, BaseException) and found.allowed
        for _ in range(12):
            allowed += (await attempt(store, now=1000.0)).allowed
        assert allowed <= 5
        await store.aclose()

    asyncio.run(scene())
