"""A browser in which this user has not proved themself before (or a client that keeps no cookies)."""

from __future__ import annotations

from ..state import Store
from . import Subject


class NewDevice:
    name = "new_device"

    def __init__(self, points: int) -> None:
        self.points = points

    async def measure(self, subject: Subject, store: Store) -> int:  # noqa: ARG002 - one shape for all signals
        return 0 if subject.device_known else self.points
