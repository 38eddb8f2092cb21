"""How far the life of a database file has come, kept beside it: so that an older copy put in its place is known.

``<file>-life`` holds one number: how often something was used up or voided (a grant, an epoch, a time step). The
database holds it too. A copy from before lags behind the file beside it, and a copy from elsewhere has none: then
every grant is void, and no code of this minute or before is taken. Whoever puts back both files is not found out;
what can come to life then is what was alive when the copy was made, for as long as its rule lets it.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress

from ...totp import time_step

TABLE = "CREATE TABLE life (spent INTEGER NOT NULL)"
BEGIN = "INSERT INTO life VALUES (0)"

_AHEAD_STEPS = 3
"""Later than any code that is taken now, by the widest window and drift."""


def spend(db: sqlite3.Connection) -> None:
    """Note, before the step is committed, that something is used up. OSError undoes the step."""
    db.execute("UPDATE life SET spent = spent + 1")
    _write(_beside(db), _spent(db))


def begin(db: sqlite3.Connection) -> None:
    """Beside a file that is new, or new to this."""
    _write(_beside(db), _spent(db))


def is_older(db: sqlite3.Connection) -> bool:
    """Whether this file lags behind what stands beside it. Inside a transaction the answer is final."""
    noted = _read(_beside(db))
    return noted is None or noted > _spent(db)


def void(db: sqlite3.Connection) -> None:
    """Let nothing that is in this older copy be good once more."""
    noted = _read(_beside(db)) or 0
    db.execute("DELETE FROM granted")
    db.execute("DELETE FROM epoch")
    db.execute("UPDATE factor SET last_step = max(last_step, ?)", (time_step(time.time()) + _AHEAD_STEPS,))
    db.execute("UPDATE life SET spent = max(spent, ?)", (noted,))
    spend(db)


def _spent(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT spent FROM life").fetchone()[0])


def _beside(db: sqlite3.Connection) -> str:
    return str(db.execute("PRAGMA database_list").fetchone()[2]) + "-life"


def _read(path: str) -> int | None:
    """None for a file that is missing, or holds no number."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        text = os.read(handle, 64)
    finally:
        os.close(handle)
    with suppress(ValueError):
        return int(text)
    return None


def _write(path: str, number: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(handle, b"%020d\n" % number, 0)
    finally:
        os.close(handle)
