"""A network (/24 or /48) this user has not proved themself from, though they have from others.

A first contact has nothing to differ from: it is not new.
"""

from __future__ import annotations

from ..state import Store
from . import Subject


class NewNetwork:
    name = "new_network"

    def __init__(self, points: int) -> None:
        self.points = points

    async def measure(self, subject: Subject, store: Store) -> int:
        seen = await store.sighting(subject.user, "network", subject.network)
        return self.points if seen.any and not seen.known else 0
