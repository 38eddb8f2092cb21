"""A network this user has not proved themself from, though they have from others: the /24 or /48 of the address, or
the autonomous system that it belongs to.

A first contact has nothing to differ from: it is not new.
"""

from __future__ import annotations

from typing import Literal

from ..origin import network_of
from ..state import Store
from . import Finding, Subject, nothing_was_lost


class NewNetwork:
    """``by``: ``prefix``, or ``asn``, which is the prefix where the system is not known."""

    name = "new_network"

    def __init__(self, points: int, *, by: Literal["prefix", "asn"] = "prefix") -> None:
        self.points = points
        self._by_asn = by == "asn"

    async def measure(self, subject: Subject, store: Store) -> Finding:
        if self._by_asn:
            asn = subject.sure_geo().asn
            shown = f"AS{asn}" if asn is not None else f"{network_of(subject.ip) or 'no network'} (no AS number known)"
            seen = await store.sighting(subject.user, "asn", subject.autonomous_system)
        else:
            shown = network_of(subject.sure_ip()) or "no network"
            seen = await store.sighting(subject.user, "network", subject.network)
        if seen.known:
            return Finding(0, "{}: this user has proved themself from there before", (shown,))
        if not seen.any:
            await nothing_was_lost(store)
            return Finding(0, "{}: no earlier network of this user to compare with", (shown,))
        return Finding(self.points, "{}: this user has proved themself from other networks only", (shown,))
