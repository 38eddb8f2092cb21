"""Requests kept for after the code, as steps on a connection inside one transaction."""

from __future__ import annotations

from sqlite3 import Connection

from ...state import Kept
from . import life
from .database import Row

KEPT = "SELECT kept_id, user, sealed, expires_at FROM kept WHERE user = ? AND kept_id = ? AND expires_at > ?"


def to_kept(row: Row) -> Kept:
    return Kept(kept_id=row[0], user=row[1], sealed=row[2], expires_at=row[3])


def keep(db: Connection, kept: Kept, *, now: float, limit: int) -> None:
    db.execute("DELETE FROM kept WHERE expires_at <= ? OR kept_id = ?", (now, kept.kept_id))
    db.execute(
        """DELETE FROM kept WHERE rowid IN
        (SELECT rowid FROM kept WHERE user = ? ORDER BY rowid DESC LIMIT -1 OFFSET ?)""",
        (kept.user, max(limit - 1, 0)),
    )
    db.execute(
        "INSERT INTO kept (kept_id, user, sealed, expires_at) VALUES (?, ?, ?, ?)",
        (kept.kept_id, kept.user, kept.sealed, kept.expires_at),
    )


def take(db: Connection, user: str, kept_id: str, *, now: float) -> Kept | None:
    row = db.execute(KEPT, (user, kept_id, now)).fetchone()
    if row is None:
        return None
    db.execute("DELETE FROM kept WHERE kept_id = ?", (kept_id,))
    life.spend(db)
    return to_kept(row)
