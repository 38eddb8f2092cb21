"""Grants, the epochs they live in, and sightings, as steps on a connection inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from sqlite3 import Connection

from orjson import dumps, loads

from ...state import Carried, Grant, Place, Shown, Sighting, SightingKind, Terms
from ..epochs import draw_epoch
from . import life
from .database import Row

_LIVE = """SELECT body, uses_left FROM granted
    JOIN epoch ON epoch.user = granted.user AND epoch.number = granted.epoch """
EPOCH = "SELECT number FROM epoch WHERE user = ?"
GRANT = f"{_LIVE} WHERE grant_id = ?"
GRANTS = f"{_LIVE} WHERE granted.user = ? AND expires_at > ? ORDER BY proved_at DESC, granted.rowid DESC"
_ALL = f"{_LIVE} WHERE granted.user = ?"
_OWN = f"{_LIVE} WHERE granted.user = ? AND grant_id = ?"
SIGHTING = """SELECT EXISTS (SELECT 1 FROM sighting WHERE user = ? AND kind = ? AND value = ?),
    EXISTS (SELECT 1 FROM sighting WHERE user = ? AND kind = ?)"""
PLACE = "SELECT value, at FROM sighting WHERE user = ? AND kind = 'place'"


def to_grant(row: Row) -> Grant:
    """From ``body`` and ``uses_left``. The hot path reads one grant a request: two columns and one JSON array, of every
    field but the last, cost half of what fifteen columns do."""
    return Grant._make((*loads(row[0]), row[1]))


@cache
def shown(count: int) -> str:
    """One statement for a user, a device and so many grants: a row for each grant that is there, and one without a body
    that says whether the device is known."""
    return f"""SELECT NULL, EXISTS (SELECT 1 FROM sighting WHERE user = ? AND kind = 'device' AND value = ?)
        UNION ALL {_LIVE} WHERE grant_id IN ({", ".join("?" * count)})"""  # noqa: S608 - our own text


def to_shown(rows: Sequence[Row], device: str, grant_ids: Sequence[str]) -> Shown:
    held: dict[str, Grant] = {}
    known = False
    for row in rows:
        if row[0] is None:
            known = bool(row[1]) and device != ""
        else:
            grant = to_grant(row)
            held[grant.grant_id] = grant
    return Shown(known, tuple(map(held.get, grant_ids)))


def to_sighting(row: Row) -> Sighting:
    return Sighting(known=bool(row[0]), any=bool(row[1]))


def to_place(row: Row) -> Place:
    return Place(sealed=row[0], at=row[1])


def begin_epoch(db: Connection, user: str) -> int:
    """The user's epoch; another process may have begun it meanwhile."""
    db.execute("INSERT OR IGNORE INTO epoch VALUES (?, ?)", (user, draw_epoch()))
    return int(db.execute(EPOCH, (user,)).fetchone()[0])


def end_epoch(db: Connection, user: str) -> int:
    """Drop every grant of a user; how many live ones there were."""
    live = len(db.execute(_ALL, (user,)).fetchall())
    db.execute("DELETE FROM epoch WHERE user = ?", (user,))
    db.execute("DELETE FROM granted WHERE user = ?", (user,))
    life.spend(db)
    return live


def raise_epoch(db: Connection, user: str) -> int:
    end_epoch(db, user)
    return begin_epoch(db, user)


def put_grant(db: Connection, grant: Grant, *, keep: int) -> bool:
    if db.execute(EPOCH, (grant.user,)).fetchone() != (grant.epoch,):
        return False
    db.execute(
        """INSERT INTO granted (grant_id, user, epoch, proved_at, expires_at, uses_left, body)
        VALUES (?, ?, ?, ?, ?, ?, ?)""",
        (
            grant.grant_id,
            grant.user,
            grant.epoch,
            grant.proved_at,
            grant.expires_at,
            grant.uses_left,
            dumps(grant[:-1]),
        ),
    )
    db.execute("DELETE FROM granted WHERE expires_at <= ? AND grant_id <> ?", (grant.proved_at, grant.grant_id))
    db.execute(
        """DELETE FROM granted WHERE rowid IN (SELECT rowid FROM granted WHERE user = ? AND grant_id <> ?
        ORDER BY proved_at DESC, rowid DESC LIMIT -1 OFFSET ?)""",
        (grant.user, grant.grant_id, max(keep - 1, 0)),
    )
    return True


def takeable(carried: Sequence[Carried], held: Sequence[Grant | None], terms: Terms) -> Grant | None:
    """The first of these grants of which a use can be taken."""
    pairs = zip(carried, held, strict=True)
    return next((grant for (_, portable), grant in pairs if grant and terms.take(grant, portable=portable)), None)


def use_grant(db: Connection, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
    def look() -> Shown:
        ids = [each.grant_id for each in carried]
        return to_shown(db.execute(shown(len(ids)), (user, device, *ids)).fetchall(), device, ids)

    found = look()
    taken = takeable(carried, found.grants, terms)
    if taken is None:
        return found
    db.execute("UPDATE granted SET uses_left = uses_left - 1 WHERE grant_id = ?", (taken.grant_id,))
    life.spend(db)
    found = look()
    return found._replace(taken=next(each for each in found.grants if each and each.grant_id == taken.grant_id))


def revoke_grants(db: Connection, user: str, grant_id: str | None) -> int:
    if grant_id is None:
        return end_epoch(db, user)
    if db.execute(_OWN, (user, grant_id)).fetchone() is None:
        return 0
    life.spend(db)
    return db.execute("DELETE FROM granted WHERE grant_id = ?", (grant_id,)).rowcount


def remember(db: Connection, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
    db.execute("DELETE FROM sighting WHERE user = ? AND kind = ? AND value = ?", (user, kind, value))
    db.execute(
        """DELETE FROM sighting WHERE rowid IN
        (SELECT rowid FROM sighting WHERE user = ? AND kind = ? ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)""",
        (user, kind, max(keep - 1, 0)),
    )
    db.execute("INSERT INTO sighting VALUES (?, ?, ?, ?)", (user, kind, value, now))


def forget_sighting(db: Connection, user: str, kind: SightingKind, value: str) -> bool:
    step = "DELETE FROM sighting WHERE user = ? AND kind = ? AND value = ?"
    return db.execute(step, (user, kind, value)).rowcount > 0


def put_place(db: Connection, user: str, sealed: bytes, *, now: float) -> None:
    db.execute("DELETE FROM sighting WHERE user = ? AND kind = 'place'", (user,))
    db.execute("INSERT INTO sighting VALUES (?, 'place', ?, ?)", (user, sealed, now))
