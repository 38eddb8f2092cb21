"""Grants, as steps over connections."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...state import Carried, Grant, Shown, Terms
from ..epochs import draw_epoch
from .connections import Connections, Word
from .names import Names, digest
from .owners import Owners
from .records import Held, fields_of, format_number, grant_order, parse_grant

GRANTS = ":grants"
EPOCH_MS = 86_400 * 1000
"""An epoch that nobody asks for, and that has no grant, ends by itself."""
SLACK_MS = 3600 * 1000
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
        keys, words = [self._names.grants(user)], (draw_epoch(), EPOCH_MS)
        step = "raise_epoch" if end else "epoch"
        return await self._connections.run(step, keys, *words, read=int, acknowledged=True)

    async def grant(self, grant_id: str) -> Grant | None:
        hashed = digest("id", grant_id)
        found, _ = await self._owners.run("grant", self._names.grant(hashed), (GRANTS,), hashed, read=_to_grant)
        return found

    async def shown(self, user: str, device: str, grant_ids: Sequence[str]) -> Shown:
        hashed = [digest("id", grant_id) for grant_id in grant_ids]
        known, *held = await self._connections.run("shown", self._keys(user, hashed), _seen(device), *hashed, read=list)
        return await self._complete(bool(known), held, grant_ids)

    async def use_grant(self, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
        hashed = [digest("id", each.grant_id) for each in carried]
        ages = map(format_number, (terms.now, terms.max_age_s, terms.leeway_s))
        same = (terms.browser, terms.user, terms.session, *terms[3:8])  # service, scope, rule, version, binding
        tokens = [word for name, each in zip(hashed, carried, strict=True) for word in (name, int(each.portable))]
        words: tuple[Word, ...] = (_seen(device), *ages, *same, len(terms.methods), *terms.methods, *tokens)
        known, number, *held = await self._connections.run(
            "use_grant", self._keys(user, hashed), *words, read=list, acknowledged=True
        )
        found = await self._complete(bool(known), held, [each.grant_id for each in carried])
        return found._replace(taken=found.grants[number - 1] if number else None)

    def _keys(self, user: str, hashed: Sequence[str]) -> list[str]:
        """Of the user, all in one slot; beside them, where there are no slots, those that say whose an id is."""
        indexes = () if self._connections.cluster else map(self._names.grant, hashed)
        return [self._names.user(user), self._names.grants(user), *indexes]

    async def _complete(self, known: bool, held: Sequence[bytes | None], grant_ids: Sequence[str]) -> Shown:
        """What is not the user's own is asked for on a Cluster, wherever it lies."""
        found = [_to_grant(each) for each in held]
        if self._connections.cluster:
            others = [number for number, grant in enumerate(found) if grant is None]
            asked = await asyncio.gather(*(self.grant(grant_ids[number]) for number in others))
            for number, grant in zip(others, asked, strict=True):
                found[number] = grant
        return Shown(known, tuple(found))

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        held = await self._connections.call("HGETALL", self._names.grants(user), read=_newest_first)
        return tuple(grant for grant in held if grant.expires_at > now)

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        hashed = "" if grant_id is None else digest("id", grant_id)
        keys = [self._names.grants(user)]
        return await self._connections.run("revoke_grants", keys, hashed, read=int, acknowledged=True)


def _seen(device: str) -> str:
    """The field of a device in the record of a user, as ``lua/sighting.lua`` has it; "" for none."""
    return f"seen:device:{digest('device', device)}" if device else ""


def _to_grant(answer: bytes | None) -> Grant | None:
    return parse_grant(answer) if answer else None


def _newest_first(held: Held) -> tuple[Grant, ...]:
    found = sorted((value for name, value in fields_of(held).items() if len(name) > 1), key=grant_order)
    return tuple(parse_grant(value) for value in found)
