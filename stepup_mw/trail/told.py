"""What the lines of a trail tell of the trail itself: checkpoints made, lines lost, a signer that refused.

Two runs of lines that follow each other add up, so that runs can be read side by side.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .counters import Counters


@dataclass(slots=True)
class Told:
    """``checkpoint``: lines of the largest checkpoint told of. ``lost``: lines that were not written, ``gap`` the first
    line that says so. ``fork``: the last line that says that the signer refused, and why. Lines by their ``seq``."""

    events: Counter[str] = field(default_factory=Counter)
    checkpoint: int = 0
    lost: int = 0
    gap: tuple[int, int] | None = None
    fork: tuple[int, str] | None = None
    counters: Counters = field(default_factory=Counters)

    def line(self, event: dict[str, Any], seq: int) -> None:
        """One line, in order."""
        self.counters.line(event)
        if event.get("event_type") == "audit":
            writer = event.get("writer")
            self.mark(event, seq, str(writer.get("life")) if type(writer) is dict else "")

    def mark(self, event: dict[str, Any], seq: int, life: str) -> None:
        """One ``audit`` line of the writer ``life``, already numbered."""
        phase, detail = event.get("phase"), event.get("detail")
        self.events[phase if isinstance(phase, str) else "?"] += 1
        if not isinstance(detail, dict):
            return
        if phase == "checkpoint":
            self.checkpoint = max(self.checkpoint, _count(detail.get("size")))
        elif phase == "gap":
            lost = _count(detail.get("lost"))
            self.counters.explain(life, lost + _count(detail.get("refused")))
            self.lost += lost
            if lost and self.gap is None:
                self.gap = seq, lost
        elif phase == "io_error" and detail.get("error") == "fork":
            self.fork = seq, str(detail.get("why"))[:300]

    def add(self, later: Told) -> None:
        """The run that follows this one."""
        self.events.update(later.events)
        self.checkpoint = max(self.checkpoint, later.checkpoint)
        self.lost += later.lost
        self.gap = self.gap or later.gap
        self.fork = later.fork or self.fork
        self.counters.add(later.counters)


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
