"""Factors and recovery codes, as steps on a connection inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from ...state import Factor, UserSummary
from . import life
from .database import Row
from .grants import end_epoch

FACTORS = """SELECT user, factor_id, sealed, created_at, last_step, label, drift FROM factor
    WHERE user = ? ORDER BY created_at, rowid"""
RECOVERY_LEFT = "SELECT count(*) FROM recovery WHERE user = ?"
USERS = """SELECT factor.user, count(*), min(created_at),
    (SELECT count(*) FROM recovery WHERE recovery.user = factor.user),
    coalesce((SELECT failures FROM account WHERE account.user = factor.user), 0),
    coalesce((SELECT locked_until FROM account WHERE account.user = factor.user), 0.0)
    FROM factor GROUP BY factor.user ORDER BY factor.user"""


def to_factor(row: Row) -> Factor:
    """Its columns stand as the fields of the record do."""
    return Factor._make(row)


def to_summary(row: Row) -> UserSummary:
    user, factors, created_at, recovery_codes, failures, locked_until = row
    return UserSummary(
        user=user,
        factors=factors,
        recovery_codes=recovery_codes,
        created_at=created_at,
        failures=failures,
        locked_until=locked_until,
    )


def put_factor(db: Connection, factor: Factor, recovery: Sequence[str]) -> bool:
    before = db.execute(FACTORS, (factor.user,)).fetchall()
    taken = max((old[4] for old in before if old[1] == factor.factor_id), default=-1)
    _void(db, factor.user)
    db.execute("DELETE FROM account WHERE user = ?", (factor.user,))
    _insert(db, factor, max(factor.last_step, taken))
    put_recovery(db, factor.user, recovery)
    return bool(before)


def add_factor(db: Connection, factor: Factor, *, keep: int) -> bool:
    mine = [factor_id for (factor_id,) in db.execute("SELECT factor_id FROM factor WHERE user = ?", (factor.user,))]
    if len(mine) >= keep or factor.factor_id in mine:
        return False
    end_epoch(db, factor.user)
    _insert(db, factor, factor.last_step)
    return True


def _insert(db: Connection, factor: Factor, last_step: int) -> None:
    db.execute(
        """INSERT INTO factor (user, factor_id, sealed, created_at, last_step, label, drift)
        VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (factor.user, factor.factor_id, factor.sealed, factor.created_at, last_step, factor.label, factor.drift),
    )


def remove_factor(db: Connection, user: str, factor_id: str) -> bool:
    found = db.execute("DELETE FROM factor WHERE user = ? AND factor_id = ?", (user, factor_id))
    if found.rowcount == 0:
        return False
    end_epoch(db, user)
    return True


def remove_factors(db: Connection, user: str) -> int:
    db.execute("DELETE FROM sighting WHERE user = ?", (user,))
    return _void(db, user)


def _void(db: Connection, user: str) -> int:
    end_epoch(db, user)
    db.execute("DELETE FROM recovery WHERE user = ?", (user,))
    return db.execute("DELETE FROM factor WHERE user = ?", (user,)).rowcount


def consume_step(db: Connection, user: str, factor_id: str, step: int, *, drift: int) -> bool:
    found = db.execute(
        "UPDATE factor SET last_step = ?, drift = ? WHERE user = ? AND factor_id = ? AND last_step < ?",
        (step, drift, user, factor_id, step),
    )
    if found.rowcount == 1:
        life.spend(db)
    return found.rowcount == 1


def replace_sealed(db: Connection, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
    found = db.execute(
        "UPDATE factor SET sealed = ? WHERE user = ? AND factor_id = ? AND sealed = ?",
        (sealed, user, factor_id, expected),
    )
    return found.rowcount == 1


def put_recovery(db: Connection, user: str, digests: Sequence[str]) -> None:
    db.execute("DELETE FROM recovery WHERE user = ?", (user,))
    life.spend(db)
    db.executemany("INSERT OR IGNORE INTO recovery VALUES (?, ?)", [(user, digest) for digest in digests])


def consume_recovery(db: Connection, user: str, digest: str) -> bool:
    taken = db.execute("DELETE FROM recovery WHERE user = ? AND digest = ?", (user, digest)).rowcount == 1
    if taken:
        life.spend(db)
    return taken
