"""Grants, as steps over connections."""

from __future__ import annotations

from ...errors import StoreUnavailable
from ...state import Grant
from ..bodies import format_grant
from ..epochs import draw_epoch
from .connections import Connections
from .names import Names, digest
from .owners import Owners
from .records import NO_COUNT, Held, fields_of, format_number, grant_order, parse_grant

_GRANTS = ":grants"
_EPOCH_MS = 86_400 * 1000
"""An epoch that nobody asks for, and that has no grant, ends by itself."""
_SLACK_MS = 3600 * 1000
"""The server drops a grant so long after its end: its clock is not the one that decides."""


class Grants:
    _connections: Connections
    _names: Names
    _owners: Owners

    async def epoch(self, user: str) -> int:
        return await self._epoch(user, end=False)

    async def raise_epoch(self, user: str) -> int:
        return await self._epoch(user, end=True)

    async def _epoch(self, user: str, *, end: bool) -> int:
        """The epoch now; with ``end`` a new one, and every grant of the old one gone."""
        keys, words = [self._names.grants(user)], (draw_epoch(), _EPOCH_MS)
        step = "raise_epoch" if end else "epoch"
        return await self._connections.run(step, keys, *words, read=int, acknowledged=True)

    async def put_grant(self, grant: Grant, *, keep: int) -> bool:
        hashed, tag = digest("id", grant.grant_id), self._names.tag(grant.user)
        index, body = self._names.grant(hashed), format_grant(grant)
        life_ms = int(max(grant.expires_at - grant.proved_at, 0) * 1000) + _SLACK_MS
        keys = [self._names.grants(grant.user)]
        if not self._connections.cluster:
            keys.append(index)
        elif not await self._owners.claim(index, tag, _GRANTS, hashed, life_ms=life_ms):
            raise StoreUnavailable("there is a grant of this id")
        kept = await self._connections.run(
            "put_grant",
            keys,
            hashed,
            format_number(grant.proved_at),
            format_number(grant.expires_at),
            NO_COUNT if grant.uses_left is None else grant.uses_left,
            keep,
            life_ms,
            tag,
            body,
            grant.epoch,
            self._names.grant_index,
            read=int,
        )
        if kept == 0:
            raise StoreUnavailable("there is a grant of this id")
        return kept > 0

    async def grant(self, grant_id: str) -> Grant | None:
        hashed = digest("id", grant_id)
        found, _ = await self._owners.run("grant", self._names.grant(hashed), (_GRANTS,), hashed, read=_to_grant)
        return found

    async def use_grant(self, grant_id: str) -> bool:
        hashed = digest("id", grant_id)
        used, _ = await self._owners.run(
            "use_grant", self._names.grant(hashed), (_GRANTS,), hashed, read=bool, acknowledged=True
        )
        return used

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        held = await self._connections.call("HGETALL", self._names.grants(user), read=_newest_first)
        return tuple(grant for grant in held if grant.expires_at > now)

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        hashed = "" if grant_id is None else digest("id", grant_id)
        keys = [self._names.grants(user)]
        return await self._connections.run("revoke_grants", keys, hashed, read=int, acknowledged=True)


def _to_grant(answer: bytes | None) -> Grant | None:
    return parse_grant(answer) if answer else None


def _newest_first(held: Held) -> tuple[Grant, ...]:
    found = sorted((value for name, value in fields_of(held).items() if len(name) > 1), key=grant_order)
    return tuple(parse_grant(value) for value in found)
