"""Challenges and grants, as steps over connections."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from ...passkeys import PREFIX
from ...state import Carried, Challenge, ChallengeState, FactorKind, Grant, Shown, Terms
from ..bodies import dumps, format_challenge, parse_challenge, parse_grant, spelt
from ..bounds import SETTLED_KEPT, SETTLED_KEPT_S
from ..epochs import draw_epoch
from .connections import Connections, Row
from .people import pack


class Challenges:
    _connections: Connections

    async def challenge(self, challenge_id: str) -> Challenge | None:
        row = await self._connections.one(
            "SELECT body, attempts, state, settled_at, logged FROM {s}.challenge WHERE challenge_id = %s",
            pack(challenge_id),
        )
        return _to_challenge(row) if row else None

    async def latest_challenge(
        self, user: str, session: str, rule: str, binding: str, *, now: float
    ) -> Challenge | None:
        row = await self._connections.one(
            """SELECT body, attempts, state, settled_at, logged FROM {s}.challenge
            WHERE who = %s AND state = 'open' AND match = %s AND expires_at > %s
            ORDER BY created_at DESC, arrived DESC LIMIT 1""",
            *(pack(user), dumps([session, rule, binding]), float(now)),
        )
        return _to_challenge(row) if row else None

    async def open_challenge(
        self, challenge: Challenge, *, keep: int, kinds: Collection[FactorKind] | None = None
    ) -> tuple[Challenge, ...] | None:
        rows = await self._connections.all(
            """SELECT body, attempts, state, settled_at, logged
            FROM {s}.open_challenge(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text[])""",
            *(pack(challenge.challenge_id), pack(challenge.user)),
            dumps([challenge.session, challenge.rule, challenge.binding]),
            *(float(challenge.created_at), float(challenge.expires_at)),
            *(challenge.attempts, float(challenge.settled_at), format_challenge(challenge), keep, SETTLED_KEPT),
            *(pack(PREFIX), None if kinds is None else list(kinds)),
        )
        if rows and rows[0][0] is None:
            return None
        return tuple(map(_to_challenge, rows))

    async def settle_challenge(self, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
        if state == "open":
            return False
        row = await self._connections.one(
            """UPDATE {s}.challenge SET state = %s, settled_at = %s, claimed_at = %s
            WHERE challenge_id = %s AND state = 'open' RETURNING 1""",
            *(state, float(now), float(now), pack(challenge_id)),
        )
        return row is not None

    async def mark_logged(self, challenge_id: str) -> None:
        await self._connections.all(
            "UPDATE {s}.challenge SET logged = true WHERE challenge_id = %s AND state <> 'open' RETURNING 1",
            pack(challenge_id),
        )

    async def due_challenges(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        rows = await self._connections.all(
            "SELECT body, attempts, state, settled_at, logged FROM {s}.due_challenges(%s, %s, %s, %s)",
            *(float(now), float(grace_s), float(SETTLED_KEPT_S), limit),
        )
        return tuple(map(_to_challenge, rows))


class Grants:
    _connections: Connections

    async def epoch(self, user: str) -> int:
        return await self._epoch(user, end=False)

    async def raise_epoch(self, user: str) -> int:
        return await self._epoch(user, end=True)

    async def _epoch(self, user: str, *, end: bool) -> int:
        """The epoch now; with ``end`` a new one, and every grant of the old one gone."""
        step = "SELECT number, raised FROM {s}.begin_epoch(%s, %s, %s)"
        return int(await self._connections.spend(step, pack(user), draw_epoch(), end))

    async def grant(self, grant_id: str) -> Grant | None:
        row = await self._connections.one(
            """SELECT g.body, g.uses_left FROM {s}.granted g
            JOIN {s}.epoch e ON e.who = g.who AND e.number = g.epoch WHERE g.grant_id = %s""",
            pack(grant_id),
        )
        return parse_grant(*row) if row else None

    async def shown(self, user: str, device: str, grant_ids: Sequence[str]) -> Shown:
        ids = [pack(grant_id) for grant_id in grant_ids]
        rows = await self._connections.all(_shown(len(ids)), pack(user), pack(device) or None, *ids)
        return _to_shown(rows, grant_ids)

    async def use_grant(self, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
        rows = await self._connections.spend_rows(
            """SELECT body, number, used, raised FROM {s}.use_grant(
            %s, %s, %s::bytea[], %s::boolean[], %s::text[], %s, %s::text[], %s::text[], %s, %s, %s)""",
            *(pack(user), pack(device) or None),
            *([pack(each.grant_id) for each in carried], [each.portable for each in carried]),
            *(list(map(spelt, (terms.user, terms.session))), spelt(terms.browser)),
            list(map(spelt, terms[3:8])),  # service, scope, rule, version, binding
            list(map(spelt, terms.methods)),
            *(float(terms.now), float(terms.max_age_s), float(terms.leeway_s)),
        )
        taken = rows[-1][2]
        found = _to_shown([row[:2] for row in rows], [each.grant_id for each in carried])
        used = (grant for grant in found.grants if grant is not None and pack(grant.grant_id) == taken)
        return found._replace(taken=next(used, None))

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        rows = await self._connections.all(
            """SELECT g.body, g.uses_left FROM {s}.granted g
            JOIN {s}.epoch e ON e.who = g.who AND e.number = g.epoch WHERE g.who = %s AND g.expires_at > %s
            ORDER BY g.proved_at DESC, g.arrived DESC""",
            *(pack(user), float(now)),
        )
        return tuple(parse_grant(*row) for row in rows)

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        if grant_id is None:
            return int(await self._connections.spend("SELECT ended, raised FROM {s}.revoke_all(%s)", pack(user)))
        return int(await self._connections.spent("SELECT {s}.revoke_one(%s, %s)", pack(user), pack(grant_id)))


@cache
def _shown(count: int) -> str:
    """A row for each grant that is there, and one without a body, whose number says whether the device is known. The
    ids stand one by one: with a list of them the server would plan it anew each time."""
    return f"""SELECT NULL::bytea, count(*) FROM {{s}}.sighting WHERE who = %s AND kind = 'device' AND value = %s
        UNION ALL SELECT g.body, g.uses_left FROM {{s}}.granted g
        JOIN {{s}}.epoch e ON e.who = g.who AND e.number = g.epoch
        WHERE g.grant_id IN ({", ".join(["%s"] * count) or "NULL"})"""  # noqa: S608 - our own text


def _to_shown(rows: Sequence[Row], grant_ids: Sequence[str]) -> Shown:
    held = {grant.grant_id: grant for grant in (parse_grant(*row) for row in rows if row[0] is not None)}
    known = any(number for body, number in rows if body is None)
    return Shown(known, tuple(map(held.get, grant_ids)))


def _to_challenge(row: Row) -> Challenge:
    body, attempts, state, settled_at, logged = row
    return parse_challenge(body, attempts=attempts, state=state, settled_at=settled_at, logged=logged)
