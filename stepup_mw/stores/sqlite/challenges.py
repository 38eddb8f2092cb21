"""Challenges, as steps on a connection: from open to settled to logged, each step once for all processes."""

from __future__ import annotations

from collections.abc import Collection
from sqlite3 import Connection

from ...state import Challenge, ChallengeState, FactorKind
from ..bounds import SETTLED_KEPT, SETTLED_KEPT_S
from .database import Row
from .factors import FACTORS, to_factor

_SELECT = """SELECT challenge_id, user, session, browser, rule, rule_version, binding, flow_id, reason, facts,
    created_at, expires_at, return_to, attempts, state, settled_at, logged FROM challenge """

CHALLENGE = f"{_SELECT} WHERE challenge_id = ?"
LATEST = f"""{_SELECT} WHERE user = ? AND state = 'open' AND session = ? AND rule = ? AND binding = ?
    AND expires_at > ? ORDER BY created_at DESC, rowid DESC LIMIT 1"""
_OTHERS = f"""{_SELECT} WHERE user = ? AND state = 'open' AND challenge_id <> ?
    ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?"""
_OVER = f"{_SELECT} WHERE state = 'open' AND expires_at <= ? ORDER BY expires_at, rowid LIMIT ?"
_LOST = f"{_SELECT} WHERE state <> 'open' AND logged = 0 AND claimed_at < ? ORDER BY claimed_at, rowid LIMIT ?"

_DROP = """DELETE FROM challenge WHERE rowid IN (SELECT rowid FROM challenge WHERE user = ? AND logged = 1
    ORDER BY settled_at DESC, rowid DESC LIMIT -1 OFFSET ?)"""


def to_challenge(row: Row) -> Challenge:
    """Its columns stand as the fields of the record do."""
    return Challenge._make((*row[:-1], bool(row[-1])))


def open_challenge(
    db: Connection, challenge: Challenge, *, keep: int, kinds: Collection[FactorKind] | None
) -> tuple[Challenge, ...] | None:
    if kinds is not None:
        mine = map(to_factor, db.execute(FACTORS, (challenge.user,)))
        if not any(factor.proves(kinds) for factor in mine):
            return None
    _insert(db, challenge)
    db.execute(_DROP, (challenge.user, SETTLED_KEPT))
    beyond = db.execute(_OTHERS, (challenge.user, challenge.challenge_id, max(keep - 1, 0))).fetchall()
    return tuple(_settle(db, to_challenge(row), "abandoned", challenge.created_at) for row in reversed(beyond))


def _insert(db: Connection, challenge: Challenge) -> None:
    db.execute(
        "INSERT INTO challenge VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*challenge, challenge.settled_at),
    )


def settle_challenge(db: Connection, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
    found = db.execute(
        """UPDATE challenge SET state = ?, settled_at = ?, claimed_at = ?
        WHERE challenge_id = ? AND state = 'open' AND ? <> 'open'""",
        (state, now, now, challenge_id, state),
    )
    return found.rowcount == 1


def mark_logged(db: Connection, challenge_id: str) -> None:
    db.execute("UPDATE challenge SET logged = 1 WHERE challenge_id = ? AND state <> 'open'", (challenge_id,))


def due_challenges(db: Connection, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
    over = [to_challenge(row) for row in db.execute(_OVER, (now, limit)).fetchall()]
    lost = [to_challenge(row) for row in db.execute(_LOST, (now - grace_s, limit - len(over))).fetchall()]
    ended = [_settle(db, challenge, "expired" if challenge.attempts else "abandoned", now) for challenge in over]
    db.executemany(
        "UPDATE challenge SET claimed_at = ? WHERE challenge_id = ?",
        [(now, challenge.challenge_id) for challenge in lost],
    )
    db.execute("DELETE FROM challenge WHERE logged = 1 AND settled_at <= ?", (now - SETTLED_KEPT_S,))
    return (*ended, *lost)


def _settle(db: Connection, challenge: Challenge, state: ChallengeState, now: float) -> Challenge:
    settle_challenge(db, challenge.challenge_id, state, now=now)
    return challenge._replace(state=state, settled_at=now)
