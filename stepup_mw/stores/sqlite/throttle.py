"""Failures, locks, the attempts of addresses and the hits of signals, as steps on a connection.

Attempts and hits share one table; the prefix of the key keeps them apart.
"""

from __future__ import annotations

from dataclasses import astuple
from sqlite3 import Connection

from orjson import dumps, loads

from ...settings import AccountThrottle, AddressThrottle
from ...state import Attempt
from ..bounds import HITS_KEPT, address_full_until, lock_until
from ..runs import Run, interrupt, look, succeed
from . import life
from .database import Row

FAILURES = "SELECT failures, locked_until FROM account WHERE user = ?"
HITS = "SELECT count(*) FROM hit WHERE key = ? AND at > ?"


def to_failures(row: Row) -> tuple[int, float]:
    failures, locked_until = row
    return failures, locked_until


def hit_key(key: str) -> str:
    return f"hit:{key}"


def _address_key(address: str) -> str:
    return f"address:{address}"


def take_attempt(
    db: Connection, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
) -> Attempt:
    failures, locked_until = db.execute(FAILURES, (user,)).fetchone() or (0, 0.0)
    if locked_until > now:
        return Attempt(allowed=False, failures=failures, locked_until=locked_until)
    if address:
        full_until = _take_address(db, _address_key(address), now=now, limit=limit)
        if full_until:
            return Attempt(allowed=False, failures=failures, locked_until=full_until)
    failures += 1
    locked_until = lock_until(failures, now=now, account=account)
    db.execute(
        """INSERT INTO account (user, failures, locked_until) VALUES (?, ?, ?)
        ON CONFLICT (user) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until""",
        (user, failures, locked_until),
    )
    life.spend(db)
    run = _run_of(db, user)
    if run is not None and (run.count or run.pending):
        _keep_run(db, user, interrupt(run))
    return Attempt(allowed=True, failures=failures, locked_until=locked_until, locks=locked_until > 0)


def _take_address(db: Connection, key: str, *, now: float, limit: AddressThrottle) -> float:
    times = [
        at
        for (at,) in db.execute(
            "SELECT at FROM hit WHERE key = ? AND at > ? ORDER BY at, rowid", (key, now - limit.window_s)
        )
    ]
    full_until = address_full_until(times, now=now, limit=limit)
    if not full_until:
        _add(db, key, now=now, window_s=limit.window_s)
    return full_until


def forgive(db: Connection, user: str, address: str) -> None:
    clear(db, user)
    db.execute(
        "DELETE FROM hit WHERE rowid = (SELECT rowid FROM hit WHERE key = ? ORDER BY at DESC, rowid DESC LIMIT 1)",
        (_address_key(address),),
    )


def clear(db: Connection, user: str) -> bool:
    return db.execute("DELETE FROM account WHERE user = ?", (user,)).rowcount == 1


def spaced_attempt(db: Connection, user: str, slot: int) -> bool:
    run = _run_of(db, user)
    found = None if run is None else look(run, slot)
    if found is not None:
        _keep_run(db, user, found)
        life.spend(db)
    return found is not None


def spaced_success(db: Connection, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
    run = _run_of(db, user)
    if run is None:
        return 0
    run, count = succeed(run, step, now=now, needed=needed, within_s=within_s)
    _keep_run(db, user, run)
    return count


def _run_of(db: Connection, user: str) -> Run | None:
    """None for an account without failures. Kept as JSON: ``[slot,step,count,since,pending]``, empty for none."""
    row = db.execute("SELECT run FROM account WHERE user = ?", (user,)).fetchone()
    if row is None:
        return None
    slot, step, count, since, pending = loads(row[0]) if row[0] else astuple(Run())
    return Run(slot=slot, step=step, count=count, since=since, pending=pending)


def _keep_run(db: Connection, user: str, run: Run) -> None:
    db.execute("UPDATE account SET run = ? WHERE user = ?", (dumps(astuple(run)).decode("ascii"), user))


def record_hit(db: Connection, key: str, *, now: float, window_s: int) -> int:
    """How many there are now, this one included."""
    key = hit_key(key)
    count: int = db.execute(HITS, (key, now - window_s)).fetchone()[0] + 1
    _add(db, key, now=now, window_s=window_s)
    return min(count, HITS_KEPT)


def _add(db: Connection, key: str, *, now: float, window_s: int) -> None:
    db.execute("DELETE FROM hit WHERE ends_at <= ?", (now,))
    db.execute("INSERT INTO hit VALUES (?, ?, ?)", (key, now, now + window_s))
    db.execute(
        """DELETE FROM hit WHERE rowid IN
        (SELECT rowid FROM hit WHERE key = ? ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)""",
        (key, HITS_KEPT),
    )
