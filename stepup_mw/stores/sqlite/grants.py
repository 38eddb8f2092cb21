"""Grants and sightings, as steps on a connection inside one transaction."""

from __future__ import annotations

from sqlite3 import Connection

from ...state import Grant, SightingKind
from .database import Row

_SELECT = """SELECT grant_id, user, session, browser, service, scope, rule, rule_version, binding, method, flow_id,
    challenge_id, proved_at, expires_at, uses_left FROM granted """

GRANT = f"{_SELECT} WHERE grant_id = ?"
GRANTS = f"{_SELECT} WHERE user = ? AND expires_at > ? ORDER BY proved_at DESC, rowid DESC"
SIGHTING = """SELECT EXISTS (SELECT 1 FROM sighting WHERE user = ?1 AND kind = ?2 AND value = ?3),
    EXISTS (SELECT 1 FROM sighting WHERE user = ?1 AND kind = ?2)"""


def to_grant(row: Row) -> Grant:
    return Grant(
        grant_id=row[0],
        user=row[1],
        session=row[2],
        browser=row[3],
        service=row[4],
        scope=row[5],
        rule=row[6],
        rule_version=row[7],
        binding=row[8],
        method=row[9],
        flow_id=row[10],
        challenge_id=row[11],
        proved_at=row[12],
        expires_at=row[13],
        uses_left=row[14],
    )


def put_grant(db: Connection, grant: Grant, *, keep: int) -> None:
    db.execute("DELETE FROM granted WHERE expires_at <= ?", (grant.proved_at,))
    db.execute(
        """DELETE FROM granted WHERE rowid IN
        (SELECT rowid FROM granted WHERE user = ? ORDER BY proved_at DESC, rowid DESC LIMIT -1 OFFSET ?)""",
        (grant.user, max(keep - 1, 0)),
    )
    db.execute(
        "INSERT INTO granted VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            grant.grant_id,
            grant.user,
            grant.session,
            grant.browser,
            grant.service,
            grant.scope,
            grant.rule,
            grant.rule_version,
            grant.binding,
            grant.method,
            grant.flow_id,
            grant.challenge_id,
            grant.proved_at,
            grant.expires_at,
            grant.uses_left,
        ),
    )


def use_grant(db: Connection, grant_id: str) -> bool:
    found = db.execute("UPDATE granted SET uses_left = uses_left - 1 WHERE grant_id = ? AND uses_left > 0", (grant_id,))
    return found.rowcount == 1


def revoke_grants(db: Connection, user: str, grant_id: str | None) -> int:
    return db.execute(
        "DELETE FROM granted WHERE user = ?1 AND (?2 IS NULL OR grant_id = ?2)", (user, grant_id)
    ).rowcount


def remember(db: Connection, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
    db.execute("DELETE FROM sighting WHERE user = ? AND kind = ? AND value = ?", (user, kind, value))
    db.execute(
        """DELETE FROM sighting WHERE rowid IN
        (SELECT rowid FROM sighting WHERE user = ? AND kind = ? ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)""",
        (user, kind, max(keep - 1, 0)),
    )
    db.execute("INSERT INTO sighting VALUES (?, ?, ?, ?)", (user, kind, value, now))
