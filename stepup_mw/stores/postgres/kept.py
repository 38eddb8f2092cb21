"""Requests kept for after the code, as steps over connections."""

from __future__ import annotations

from ...state import Kept
from .connections import Connections, Row
from .people import pack


class Requests:
    _connections: Connections

    async def keep_request(self, kept: Kept, *, now: float, limit: int) -> None:
        await self._connections.all(
            "SELECT {s}.keep_request(%s, %s, %s, %s, %s, %s)",
            *(pack(kept.kept_id), pack(kept.user), kept.sealed, float(kept.expires_at), float(now), limit),
        )

    async def kept_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        row = await self._connections.one(
            "SELECT sealed, expires_at FROM {s}.kept WHERE kept_id = %s AND who = %s AND expires_at > %s",
            *(pack(kept_id), pack(user), float(now)),
        )
        return _to_kept(row, user, kept_id)

    async def take_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        row = await self._connections.spend_row(
            "SELECT kept_sealed, ends_at, raised FROM {s}.take_request(%s, %s, %s)",
            *(pack(kept_id), pack(user), float(now)),
        )
        return _to_kept(row if row[0] is not None else None, user, kept_id)


def _to_kept(row: Row | None, user: str, kept_id: str) -> Kept | None:
    return Kept(kept_id=kept_id, user=user, sealed=row[0], expires_at=row[1]) if row else None
