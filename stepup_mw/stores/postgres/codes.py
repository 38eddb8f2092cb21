"""The three steps of a code for a challenge, as steps over connections. What each does stands in ``sql/codes.sql``."""

from __future__ import annotations

from ...state import Attempt, Earned, Given, Grant, Guess, Kept, Right, Sighting, Taken, Tried
from ..bodies import format_grant
from ..epochs import draw_epoch
from .connections import Connections
from .people import pack, pack_address, pack_hits, pack_limits, to_factor

_NO_GRANT = (None,) * 6


class Codes:
    _connections: Connections

    async def try_challenge(self, guess: Guess) -> Tried:
        rows = await self._connections.spend_rows(
            """SELECT allowed, count, until_s, begins, number, epoch, who, factor_id, sealed, created_at, last_step,
            label, drift, raised
            FROM {s}.try_challenge(%s, %s, %s, %s, %s, %s::text::float8[], %s, %s, %s, %s, %s, %s, %s)""",
            *(pack(guess.challenge_id), pack(guess.user), pack_address(guess.address), float(guess.now)),
            *(*pack_limits(guess.account, guess.limit), guess.attempts, draw_epoch()),
        )
        allowed, failures, locked_until, locks, number, epoch, *first = rows[0]
        attempt = Attempt(allowed=allowed, failures=failures, locked_until=locked_until, locks=locks)
        if number is None:
            return Tried(attempt)
        factors = () if first[0] is None else tuple(to_factor(row[6:]) for row in rows)
        return Tried(attempt, number, epoch, factors)

    async def take_code(self, right: Right) -> Taken:
        user, challenge_id = pack(right.user), pack(right.challenge_id)
        settled, raised = await self._connections.spend_row(
            "SELECT settled, raised, raised FROM {s}.take_code(%s, %s, %s, %s, %s, %s, %s, %s)",
            *(user, pack(right.factor_id), right.step, right.drift),
            *(pack_hits(right.told), right.told_s, challenge_id, float(right.at)),
        )
        return Taken(taken=raised is not None, settled=settled)

    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        seen = ((("device", earned.device),) if earned.device else ()) + earned.seen
        granted, epoch, known, held, sealed, ends_at = await self._connections.spend_row(
            """SELECT granted, epoch, known, held, kept_sealed, ends_at, raised FROM {s}.reward(
            %s, %s, %s, %s, %s, %s::text[], %s::bytea[], %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            *(pack(earned.user), pack(earned.challenge_id), float(earned.at), pack_address(earned.address)),
            *(pack(earned.device), [kind for kind, _ in seen], [pack(mark) for _, mark in seen]),
            *(earned.place or None, keep_seen, earned.kept),
            *(_columns(earned.grant) if earned.grant is not None else _NO_GRANT),
            keep_grants,
        )
        kept = None
        if sealed is not None:
            kept = Kept(kept_id=earned.challenge_id, user=earned.user, sealed=sealed, expires_at=ends_at)
        return Given(granted=granted, epoch=epoch or 0, device=Sighting(known=known, any=held), kept=kept)


def _columns(grant: Grant) -> tuple[object, ...]:
    times = float(grant.proved_at), float(grant.expires_at)
    return (pack(grant.grant_id), grant.epoch, *times, grant.uses_left, format_grant(grant))
