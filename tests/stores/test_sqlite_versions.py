"""A file of the first version becomes one of this version: what it held stays, but for the grants of a few minutes."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stepup_mw.state import Factor
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.stores.sqlite.schema import APPLICATION_ID, VERSION

from ..contract.samples import ACCOUNT, ADDRESS, bare, keep_grant, make_factor, make_grant, use

VERSION_1 = (
    """CREATE TABLE factor (
        user TEXT NOT NULL, factor_id TEXT NOT NULL, sealed BLOB NOT NULL, created_at REAL NOT NULL,
        last_step INTEGER NOT NULL, UNIQUE (user, factor_id))""",
    "CREATE TABLE recovery (user TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (user, digest)) WITHOUT ROWID",
    """CREATE TABLE account (
        user TEXT NOT NULL PRIMARY KEY, failures INTEGER NOT NULL, locked_until REAL NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE hit (key TEXT NOT NULL, at REAL NOT NULL, ends_at REAL NOT NULL)",
    "CREATE INDEX hit_key ON hit (key, at)",
    "CREATE INDEX hit_end ON hit (ends_at)",
    """CREATE TABLE challenge (
        challenge_id TEXT NOT NULL PRIMARY KEY, user TEXT NOT NULL, session TEXT NOT NULL, browser TEXT NOT NULL,
        rule TEXT NOT NULL, rule_version TEXT NOT NULL, binding TEXT NOT NULL, flow_id TEXT NOT NULL,
        reason TEXT NOT NULL, facts BLOB NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL,
        return_to BLOB NOT NULL, attempts INTEGER NOT NULL, state TEXT NOT NULL, settled_at REAL NOT NULL,
        logged INTEGER NOT NULL, claimed_at REAL NOT NULL)""",
    "CREATE INDEX challenge_user ON challenge (user, created_at) WHERE state = 'open'",
    "CREATE INDEX challenge_end ON challenge (expires_at) WHERE state = 'open'",
    "CREATE INDEX challenge_unlogged ON challenge (claimed_at) WHERE state <> 'open' AND logged = 0",
    "CREATE INDEX challenge_logged ON challenge (settled_at) WHERE logged = 1",
    """CREATE TABLE granted (
        grant_id TEXT NOT NULL PRIMARY KEY, user TEXT NOT NULL, proved_at REAL NOT NULL, expires_at REAL NOT NULL,
        uses_left INTEGER, body BLOB NOT NULL)""",
    "CREATE INDEX granted_user ON granted (user, proved_at)",
    "CREATE INDEX granted_end ON granted (expires_at)",
    """CREATE TABLE sighting (
        user TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL, UNIQUE (user, kind, value))""",
)

ROWS = (
    "INSERT INTO factor VALUES ('alice', 'f1', x'0001', 1000.25, 77)",
    "INSERT INTO recovery VALUES ('alice', 'r1'), ('alice', 'r2')",
    "INSERT INTO account VALUES ('alice', 5, 9000.5), ('bob', 1, 0.0)",
    "INSERT INTO granted VALUES ('g1', 'alice', 1000.0, 9999999999.0, NULL, '[]')",
    "INSERT INTO sighting VALUES ('alice', 'device', 'd1', 5.0)",
)


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    for statement in (
        *VERSION_1,
        *ROWS,
        f"PRAGMA application_id = {APPLICATION_ID}",
        "PRAGMA user_version = 1",
    ):
        db.execute(statement)
    db.close()
    return path


def test_what_it_held_is_there_and_its_grants_are_void(old_file: Path) -> None:
    store = SqliteStore(old_file)

    async def scene() -> None:
        kept = Factor(user="alice", factor_id="f1", sealed=b"\0\1", created_at=1000.25, last_step=77)
        assert await store.factors("alice") == (kept,)
        assert await store.consume_step("alice", "f1", 77) is False
        assert await store.consume_recovery("alice", "r1") is True
        assert await store.failures("alice") == (5, 9000.5)
        assert (await store.sighting("alice", "device", "d1")).known
        assert await store.grant("g1") is None
        assert await use(store) is False

        assert await store.add_factor(make_factor(factor_id="f2", label="new", drift=1))
        assert await store.spaced_attempt("alice", 1)
        assert await store.spaced_success("alice", 1, now=30.0, needed=3, within_s=60) == 1
        found = await store.take_attempt("bob", "", now=1.0, account=ACCOUNT, limit=ADDRESS)
        assert found.failures == 2
        await keep_grant(store, make_grant("g1"))
        assert await bare(store, "g1") == make_grant("g1")
        await store.aclose()

    asyncio.run(scene())


def test_it_is_brought_up_once_by_many_at_a_time(old_file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: SqliteStore(old_file), range(8)))
    for store in stores:
        assert len(asyncio.run(store.factors("alice"))) == 1
        asyncio.run(store.aclose())


def test_it_has_the_tables_of_a_new_file(old_file: Path, tmp_path: Path) -> None:
    def shape(path: Path) -> dict[str, list[tuple[str, str]]]:
        asyncio.run(SqliteStore(path).aclose())
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE sql IS NOT NULL")]
        found = {name: [(row[1], row[2]) for row in db.execute(f"PRAGMA table_xinfo({name})")] for name in names}
        db.close()
        return found

    assert shape(old_file) == shape(tmp_path / "new.db")
