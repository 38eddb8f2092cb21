"""Requests kept for after the code, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from ...state import Kept


class Requests:
    """By id, in the order they came."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def keep(self, kept: Kept, *, now: float, limit: int) -> None:
        self._kept.pop(kept.kept_id, None)
        for gone in [held.kept_id for held in self._kept.values() if held.expires_at <= now]:
            del self._kept[gone]
        mine = [held.kept_id for held in self._kept.values() if held.user == kept.user]
        for gone in mine[: max(len(mine) - max(limit - 1, 0), 0)]:
            del self._kept[gone]
        self._kept[kept.kept_id] = kept

    def get(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        kept = self._kept.get(kept_id)
        return kept if kept is not None and kept.user == user and now < kept.expires_at else None

    def take(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        kept = self.get(user, kept_id, now=now)
        return self._kept.pop(kept_id) if kept is not None else None
