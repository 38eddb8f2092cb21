"""A group of steps as one transaction, and so one sync: each in a savepoint of its own, none in one if it is alone.

That is the promise of one transaction for each. No other process writes between BEGIN IMMEDIATE and COMMIT, so a step
finds what the ones before it left as if they had been committed; who reads meanwhile finds nothing of any, and all of
them afterwards; and nobody is told before the commit, so that where it fails, or the process ends, nothing was said
that rests on what is not there.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from .groups import Group, Turn
from .life import LIFE

HOLD_S = 0.02
"""No step is added to a group that has held the lock so long: other processes wait for it."""

PATIENCE = "busy_timeout = 3"
"""Milliseconds. SQLite asks for a lock at ever longer intervals, up to 100 ms. Who asks so seldom may not meet it free
in 2 s beside a busy process, which takes it again at once; so it is asked anew for as long as there is time."""

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_OWN = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})
"""What a statement is refused for while the file, the disk and the memory are sound."""


def transact(db: sqlite3.Connection, group: Group, *, wait_s: float, look: Callable[[], None]) -> tuple[Any, ...]:
    """Run and commit it; the row of LIFE then. Whatever is raised, nothing of it stands. ``look`` raises where what was
    done is not to be committed."""
    _begin(db, time.monotonic() + wait_s)
    try:
        _run(db, group)
        look()
        life: tuple[Any, ...] = db.execute(LIFE).fetchone()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return life


def _begin(db: sqlite3.Connection, until: float) -> None:
    while True:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise
        else:
            return


def _run(db: sqlite3.Connection, group: Group) -> None:
    turn = group.another()
    if turn is None:
        group.turns[0].run(db)
        return
    until = time.monotonic() + HOLD_S
    _run_apart(db, group.turns[0])
    while turn is not None:
        _run_apart(db, turn)
        turn = group.another() if time.monotonic() < until else None


def _run_apart(db: sqlite3.Connection, turn: Turn[object]) -> None:
    """A step that fails is taken back alone. What is raised has ended them all."""
    db.execute("SAVEPOINT step")
    try:
        turn.run(db)
    except BaseException as error:
        if not db.in_transaction or not _is_own(error):
            raise
        db.execute("ROLLBACK TO step")
        turn.fail(error)
    db.execute("RELEASE step")


def _code(error: BaseException) -> int:
    """0 where Python's own module refuses what it is given."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_own(error: BaseException) -> bool:
    return not isinstance(error, sqlite3.Error) or _code(error) in _OWN or not _code(error)


def is_busy(error: BaseException) -> bool:
    """Another process holds the lock."""
    return isinstance(error, sqlite3.Error) and _code(error) in _BUSY
