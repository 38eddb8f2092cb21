"""A country this user has not proved themself from, though they have from others.

An address that the database does not know counts as a country of its own: who comes from nowhere is as new as who
comes from elsewhere. A first contact has nothing to differ from: it is not new.
"""

from __future__ import annotations

from ..state import Store
from . import Finding, Subject, nothing_was_lost


class NewCountry:
    name = "new_country"

    def __init__(self, points: int) -> None:
        self.points = points

    async def measure(self, subject: Subject, store: Store) -> Finding:
        shown = subject.sure_geo().country or "no country known"
        seen = await store.sighting(subject.user, "country", subject.country)
        if seen.known:
            return Finding(0, "{}: this user has proved themself from there before", (shown,))
        if not seen.any:
            await nothing_was_lost(store)
            return Finding(0, "{}: no earlier country of this user to compare with", (shown,))
        return Finding(self.points, "{}: this user has proved themself from other countries only", (shown,))
