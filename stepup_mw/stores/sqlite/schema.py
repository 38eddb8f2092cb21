"""The tables of the database file, their version, and how a file becomes a store.

``user_version`` holds VERSION, ``application_id`` says whose file it is. A file of an older version is brought to this
one in one transaction. A file of a newer version or of another program is refused and left as it is. Kept to what
SQLite 3.24 knows (no RETURNING, no STRICT).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import StoreUnavailable, Unsupported
from . import life

VERSION = 4

APPLICATION_ID = 0x73745570
"""``stUp`` in ASCII."""

_GRANTED = (
    "CREATE TABLE epoch (user TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE granted (
        grant_id TEXT NOT NULL PRIMARY KEY, user TEXT NOT NULL, epoch INTEGER NOT NULL, proved_at REAL NOT NULL,
        expires_at REAL NOT NULL, uses_left INTEGER, body BLOB NOT NULL)""",
    "CREATE INDEX granted_user ON granted (user, proved_at)",
    "CREATE INDEX granted_end ON granted (expires_at)",
    life.TABLE,
    life.BEGIN,
)

_DONE = "CREATE INDEX challenge_done ON challenge (user, settled_at) WHERE logged = 1"

_KEPT = (
    """CREATE TABLE kept (
        kept_id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, sealed BLOB NOT NULL, expires_at REAL NOT NULL)""",
    "CREATE INDEX kept_user ON kept (user)",
    "CREATE INDEX kept_end ON kept (expires_at)",
)

_TABLES = (
    """CREATE TABLE factor (
        user TEXT NOT NULL, factor_id TEXT NOT NULL, sealed BLOB NOT NULL, created_at REAL NOT NULL,
        last_step INTEGER NOT NULL, label TEXT NOT NULL DEFAULT '', drift INTEGER NOT NULL DEFAULT 0,
        UNIQUE (user, factor_id))""",
    "CREATE TABLE recovery (user TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (user, digest)) WITHOUT ROWID",
    """CREATE TABLE account (
        user TEXT NOT NULL PRIMARY KEY, failures INTEGER NOT NULL, locked_until REAL NOT NULL,
        run TEXT NOT NULL DEFAULT '') WITHOUT ROWID""",
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
    _DONE,
    *_GRANTED,
    """CREATE TABLE sighting (
        user TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, at REAL NOT NULL, UNIQUE (user, kind, value))""",
    *_KEPT,
)

_FROM_1 = (
    "ALTER TABLE factor ADD COLUMN label TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE factor ADD COLUMN drift INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE account ADD COLUMN run TEXT NOT NULL DEFAULT ''",
    _DONE,
    "DROP TABLE granted",  # of no epoch: its few minutes of grants are asked for once more
    *_GRANTED,
    *_KEPT,
)

_STEPS = {0: _TABLES, 1: _FROM_1, 2: (*_KEPT, *life.FROM_3), 3: life.FROM_3}
"""By version: what brings a file of it to VERSION."""

Identity = tuple[int, int]
"""Device and inode of the database file."""


def identify(path: str) -> Identity:
    """Which file stands at ``path`` now. OSError where there is none."""
    found = os.stat(path)  # noqa: PTH116 - on the way of every write and many reads
    return found.st_dev, found.st_ino


def connect(path: str, *, wait_s: float) -> sqlite3.Connection:
    """A connection to a file that is there; never makes one. Waits ``wait_s`` seconds for a lock, then gives up."""
    return sqlite3.connect(
        f"{Path(path).as_uri()}?mode=rw", uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
    )


def prepare(path: str, *, wait_s: float, lives: life.Lives) -> Identity:
    """Make the file and its tables where they are missing, with mode 0600 in a folder with mode 0700, and say
    which file it is. Several processes may do so at once.

    Unsupported: a newer version, another program's file, or an SQLite that cannot do it. OSError, sqlite3.Error.
    """
    if sqlite3.sqlite_version_info < (3, 24):
        raise Unsupported(f"SQLite {sqlite3.sqlite_version} is too old for sqlite://: 3.24 or newer is needed")
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not Path(path).exists():
        _make(path)
    db = connect(path, wait_s=wait_s)
    try:
        if not _is_ours(db, path):
            _write_ahead(db, path, until=time.monotonic() + wait_s)
            with _transaction(db):
                if not _is_ours(db, path):
                    lives.begin(db, _bring_up(db))
        if lives.look(db) is not None:
            with _transaction(db):
                found = lives.look(db)
                if found is not None:
                    lives.end(db, found)
        lives.note(db.execute(life.LIFE).fetchone())
        return identify(path)
    finally:
        db.close()


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """One that ends with the connection where it fails."""
    db.execute("BEGIN IMMEDIATE")
    yield
    db.execute("COMMIT")


def check_version(db: sqlite3.Connection) -> None:
    """StoreUnavailable if the file has changed its version under a running process."""
    found = _number(db, "user_version")
    if found != VERSION:
        raise StoreUnavailable(f"the state database is of version {found} now; this process knows version {VERSION}")


def _make(path: str) -> None:
    # Never open a database file that exists other than through SQLite: closing any descriptor of it would drop
    # every POSIX lock that SQLite holds on it in this process (https://www.sqlite.org/howtocorrupt.html, 2.2).
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _is_ours(db: sqlite3.Connection, path: str) -> bool:
    """False for an empty file and for an older version. Unsupported for one that is not ours to touch."""
    version, owner = _number(db, "user_version"), _number(db, "application_id")
    if owner == APPLICATION_ID and version == VERSION:
        return True
    if owner == APPLICATION_ID and version in _STEPS:
        return False
    if owner == APPLICATION_ID:
        raise Unsupported(
            f"{path} is a state database of version {version}; this package knows version {VERSION}. "
            "Use the newer package, or another file"
        )
    if owner or version or db.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise Unsupported(f"{path} is a database of another program: name another file in store.url")
    return False


def _write_ahead(db: sqlite3.Connection, path: str, *, until: float) -> None:
    """Switch to write-ahead logging. SQLite does not wait here when another process does the same."""
    while True:
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)
            continue
        if mode != "wal":
            raise Unsupported(f"{path} is on a file system without shared memory; SQLite cannot share it safely")
        return


def _bring_up(db: sqlite3.Connection) -> int:
    """Which version it had."""
    version = _number(db, "user_version")
    for statement in _STEPS[version]:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    return version
