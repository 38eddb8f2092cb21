"""Too far from where this user last proved themself, for the time since.

Compares two places that are known. How exactly they are known counts: what two circles of uncertainty leave between
them is the way that must have been made. The database's circle is where an address is in two cases of three
(MaxMind's accuracy radius), and one is drawn where it draws none, or a very small one: addresses of one town are
taken for each other's.
"""

from __future__ import annotations

from collections.abc import Callable

from ..encoding import rough_duration
from ..geo import Spot, distance_km, parse_spot
from ..state import Store
from . import Finding, Subject, nothing_was_lost

DEFAULT_KMH = 900
"""An airliner's speed."""

LEAST_RADIUS_KM = 50.0
RADIUS_KM = 100.0
"""Where the database says nothing of its own accuracy."""


class ImpossibleTravel:
    """``unseal``: opens a user's place. It raises for one that was sealed under a key that is gone."""

    name = "impossible_travel"

    def __init__(self, points: int, *, unseal: Callable[[str, bytes], bytes], max_kmh: int = DEFAULT_KMH) -> None:
        self.points = points
        self._unseal = unseal
        self._max_kmh = max_kmh

    async def measure(self, subject: Subject, store: Store) -> Finding:
        here = subject.sure_geo().spot
        if here is None:
            return Finding(0, "this address has no known place")
        place = await store.place(subject.user)
        if place is None:
            await nothing_was_lost(store)
            return Finding(0, "{}: no earlier place of this user to compare with", (here.name,))
        there = parse_spot(self._unseal(subject.user, place.sealed))
        radius = _radius(here) + _radius(there)
        way = distance_km(here, there)
        since_s = max(1.0, subject.now - place.at)
        kmh = max(0.0, way - radius) / (since_s / 3600)
        words = (
            "{} is {:,.0f} km from {}, the last proof {} ago; less {:.0f} km of uncertainty that is {:,.0f} km/h, {}"
        )
        limit = f"more than {self._max_kmh}" if kmh > self._max_kmh else f"at most {self._max_kmh}"
        values = (here.name or "here", way, there.name or "there", rough_duration(int(since_s)), radius, kmh, limit)
        return Finding(self.points if kmh > self._max_kmh else 0, words, values)


def _radius(spot: Spot) -> float:
    return RADIUS_KM if spot.radius_km is None else max(LEAST_RADIUS_KM, spot.radius_km)
