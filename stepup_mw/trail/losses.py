"""Lines that did not get into the trail: counted until the trail itself can say so (``audit/gap``)."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .marks import Marks


class Losses:
    """``lost`` lines happened and were not written; ``refused`` lines were not written, and nothing happened."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._mutex = threading.Lock()
        self._lost = 0
        self._refused = 0
        self._why = ""
        self._since = 0.0
        self._reported = (0, 0)

    def __bool__(self) -> bool:
        return self._lost > 0 or self._refused > 0

    def add(self, *, lost: int, refused: int, why: str) -> None:
        with self._mutex:
            if not self:
                self._since = self._marks.clock()
            self._lost += lost
            self._refused += refused
            self._why = why[:300]

    def records(self) -> list[bytes]:
        """What to write about them before anything else; ``written`` once it is."""
        with self._mutex:
            self._reported = (self._lost, self._refused)
            return [self._marks.gap(self._lost, self._refused, self._why, self._since)] if self else []

    def written(self) -> None:
        with self._mutex:
            lost, refused = self._reported
            self._lost -= lost
            self._refused -= refused
            self._reported = (0, 0)
