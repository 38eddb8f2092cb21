"""How much of the end of the trail no anchor holds yet (``audit.max_unanchored``), measured while the service runs.

A line is anchored once one anchor beyond this host has said that it holds a checkpoint over it. On the request path
this reads the end of one file and the receipts, ten times a second at most.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from ..errors import TrailUnavailable
from ..trail.files import Layout
from .lines import count_lines, waiting_since
from .receipt import Shelf, read_receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..settings import TrailSettings

FRESH_S = 0.1
"""How old an answer may be that a request relies on."""


class Behind(NamedTuple):
    """``lines`` under no anchor, the first of them ``seconds`` old."""

    lines: int
    seconds: float


class Window:
    """``check`` is for requests, ``refresh`` for a thread of its own: it may read more, and wait for a lock."""

    def __init__(self, settings: TrailSettings, clock: Callable[[], float]) -> None:
        self._layout = Layout(settings.path)
        self._settings = settings
        self._clock = clock
        self._receipts = [Shelf(self._layout, anchor).receipt for anchor in settings.anchors if anchor.acknowledges]
        self._mutex = threading.Lock()
        self._looked = float("-inf")
        self._why: str | None = None
        self._since: tuple[int, float] | None = None

    def check(self) -> None:
        """TrailUnavailable where ``then = "deny"`` and more is unanchored than allowed, or nobody can tell."""
        if self._settings.max_unanchored_then != "deny":
            return
        now = time.monotonic()
        with self._mutex:
            if now - self._looked >= FRESH_S:
                self._why = self._judge()
                self._looked = now
            why = self._why
        if why is not None:
            raise TrailUnavailable(why)

    def refresh(self) -> str | None:
        """Look for the oldest line that is not anchored. Gives why the limit is exceeded, None if it is not. OSError
        or TrailUnavailable if the trail cannot be read."""
        anchored = self._anchored()
        if self._since is None or self._since[0] != anchored:
            since = waiting_since(self._layout, anchored) if count_lines(self._layout) > anchored else None
            self._since = (anchored, since) if since is not None else None
        return self._exceeded(self.measure())

    def measure(self) -> Behind:
        """How far the anchors are behind, as far as ``refresh`` has seen."""
        anchored, since = self._anchored(), self._since
        seconds = self._clock() - since[1] if since is not None and since[0] == anchored else 0.0
        return Behind(max(0, count_lines(self._layout) - anchored), max(0.0, seconds))

    def _judge(self) -> str | None:
        try:
            return self._exceeded(self.measure())
        except (OSError, TrailUnavailable) as error:
            return f"nobody can tell how much of the audit trail is anchored: {error}"

    def _exceeded(self, behind: Behind) -> str | None:
        lines, seconds = self._settings.max_unanchored_lines, self._settings.max_unanchored_s
        if lines is not None and behind.lines > lines:
            return f"{behind.lines} audit lines are under no anchor yet, and {lines} are allowed"
        if seconds is not None and behind.seconds > seconds:
            return f"audit lines are under no anchor for {behind.seconds:.0f} s, and {seconds} s are allowed"
        return None

    def _anchored(self) -> int:
        return max((read_receipt(path).size for path in self._receipts), default=0)
