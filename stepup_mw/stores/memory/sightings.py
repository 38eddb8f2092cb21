"""What a user has proved themself with, and where last, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from ...state import Place, Sighting, SightingKind


class Sightings:
    """Values by user and kind, in the order they were last seen."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[SightingKind, dict[str, float]]] = {}
        self._places: dict[str, Place] = {}

    def get(self, user: str, kind: SightingKind, value: str) -> Sighting:
        seen = self._seen.get(user, {}).get(kind, {})
        return Sighting(known=value in seen, any=bool(seen))

    def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        seen = self._seen.setdefault(user, {}).setdefault(kind, {})
        seen.pop(value, None)
        oldest = sorted(seen, key=seen.__getitem__)
        for old in oldest[: max(len(seen) - max(keep - 1, 0), 0)]:
            del seen[old]
        seen[value] = now

    def forget_one(self, user: str, kind: SightingKind, value: str) -> bool:
        return self._seen.get(user, {}).get(kind, {}).pop(value, None) is not None

    def place(self, user: str) -> Place | None:
        return self._places.get(user)

    def put_place(self, user: str, place: Place) -> None:
        self._places[user] = place

    def forget(self, user: str) -> None:
        self._seen.pop(user, None)
        self._places.pop(user, None)
