"""A browser in which this user has not proved themself before (or a client that keeps no cookies)."""

from __future__ import annotations

from ..state import Store
from . import Finding, Subject


class NewDevice:
    name = "new_device"

    def __init__(self, points: int) -> None:
        self.points = points

    async def measure(self, subject: Subject, store: Store) -> Finding:  # noqa: ARG002 - one shape for all signals
        if subject.device_known:
            return Finding(0, "this user has proved themself in this browser before")
        if not subject.device:
            return Finding(self.points, "the client sent no device cookie of this service")
        return Finding(self.points, "this user has not proved themself in this browser before")
