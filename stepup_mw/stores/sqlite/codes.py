"""The three steps of a code for a challenge, each in one transaction."""

from __future__ import annotations

from sqlite3 import Connection

from ...state import Earned, Given, Guess, Right, Sighting, Taken, Tried
from . import kept, life
from .database import Database
from .factors import FACTORS, to_factor
from .grants import EPOCH, SIGHTING, begin_epoch, put_grant, put_place, remember, to_sighting
from .throttle import HITS, forgive, hit_key, take_attempt

_COUNT = """UPDATE challenge SET attempts = attempts + 1
    WHERE challenge_id = ? AND user = ? AND state = 'open' AND attempts < ?"""
_ATTEMPTS = "SELECT attempts FROM challenge WHERE challenge_id = ?"
_SETTLE = """UPDATE challenge SET state = 'approved', settled_at = ?, claimed_at = ?
    WHERE challenge_id = ? AND user = ? AND state = 'open'"""
_LOG = "UPDATE challenge SET logged = 1 WHERE challenge_id = ? AND user = ? AND state <> 'open'"
_FREE = """SELECT EXISTS (SELECT 1 FROM factor WHERE user = ? AND factor_id = ?)
    AND NOT EXISTS (SELECT 1 FROM factor WHERE user = ? AND last_step >= ?)"""
_TAKE = """UPDATE factor SET last_step = ?, drift = CASE WHEN factor_id = ? THEN ? ELSE drift END WHERE user = ?"""


class Codes:
    _db: Database

    async def try_challenge(self, guess: Guess) -> Tried:
        return await self._db.write(_try_challenge, guess)

    async def take_code(self, right: Right) -> Taken:
        return await self._db.write(_take_code, right)

    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        return await self._db.write(_reward, earned, keep_grants=keep_grants, keep_seen=keep_seen)


def _try_challenge(db: Connection, guess: Guess) -> Tried:
    challenge_id, user, address, now, attempts, account, limit = guess
    attempt = take_attempt(db, user, address, now=now, account=account, limit=limit)
    if not attempt.allowed or not db.execute(_COUNT, (challenge_id, user, attempts)).rowcount:
        return Tried(attempt)
    number: int = db.execute(_ATTEMPTS, (challenge_id,)).fetchone()[0]
    factors = tuple(map(to_factor, db.execute(FACTORS, (user,))))
    return Tried(attempt, number, begin_epoch(db, user), factors)


def _take_code(db: Connection, right: Right) -> Taken:
    user, factor_id, step, at = right.user, right.factor_id, right.step, right.at
    was_told = db.execute(HITS, (hit_key(right.told), at - right.told_s)).fetchone()[0]
    if was_told or not db.execute(_FREE, (user, factor_id, user, step)).fetchone()[0]:
        return Taken(taken=False)
    db.execute(_TAKE, (step, factor_id, right.drift, user))
    life.spend(db)
    settled = db.execute(_SETTLE, (at, at, right.challenge_id, user)).rowcount == 1
    return Taken(taken=True, settled=settled)


def _reward(db: Connection, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
    user, at = earned.user, earned.at
    granted = earned.grant is not None and put_grant(db, earned.grant, keep=keep_grants)
    forgive(db, user, earned.address)
    db.execute(_LOG, (earned.challenge_id, user))
    epoch = db.execute(EPOCH, (user,)).fetchone()
    return Given(
        granted=granted,
        epoch=epoch[0] if epoch is not None else 0,
        device=_remember(db, earned, keep=keep_seen),
        kept=kept.take(db, user, earned.challenge_id, now=at) if earned.kept else None,
    )


def _remember(db: Connection, earned: Earned, *, keep: int) -> Sighting:
    """How the device was known before."""
    user, at = earned.user, earned.at
    before = to_sighting(db.execute(SIGHTING, (user, "device", earned.device, user, "device")).fetchone())
    if earned.device:
        remember(db, user, "device", earned.device, now=at, keep=keep)
    for kind, value in earned.seen:
        remember(db, user, kind, value, now=at, keep=keep)
    if earned.place:
        put_place(db, user, earned.place, now=at)
    return before
