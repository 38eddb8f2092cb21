"""Requests kept for after the code, as steps over connections."""

from __future__ import annotations

from ...state import Kept
from .connections import Connections
from .names import Names, digest
from .records import format_number

_SLACK_MS = 3600 * 1000
"""The server drops a request so long after its end: its clock is not the one that decides."""


class Requests:
    _connections: Connections
    _names: Names

    async def keep_request(self, kept: Kept, *, now: float, limit: int) -> None:
        life_ms = int(max(kept.expires_at - now, 0) * 1000) + _SLACK_MS
        words = (digest("id", kept.kept_id), format_number(now), format_number(kept.expires_at), limit, life_ms)
        await self._connections.run("keep_request", [self._names.kept(kept.user)], *words, kept.sealed, read=int)

    async def kept_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        held = await self._connections.call(
            "HGET", self._names.kept(user), digest("id", kept_id), read=lambda answer: answer
        )
        return parse_kept(held, user, kept_id, now)

    async def take_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        words = (digest("id", kept_id), format_number(now))
        held = await self._connections.run(
            "take_request", [self._names.kept(user)], *words, read=lambda answer: answer, acknowledged=True
        )
        return parse_kept(held, user, kept_id, now)


def parse_kept(held: bytes | None, user: str, kept_id: str, now: float) -> Kept | None:
    """``order expires_at sealed``."""
    if not held:
        return None
    _, expires_at, sealed = held.split(b" ", 2)
    kept = Kept(kept_id=kept_id, user=user, sealed=sealed, expires_at=float(expires_at))
    return kept if now < kept.expires_at else None
