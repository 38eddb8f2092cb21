"""Risk signals: one file each. A signal looks at the subject and says how many points it adds, at most its own.

A signal decides nothing. One that raises or takes too long adds its configured points: doubt never lowers a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..messages import Request
from ..policy import Rule
from ..state import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What signals see. ``device`` and ``network`` are keyed hashes, "" where there is none.

    record: count this request (live) or only say what it would be (explain); the answer is the same.
    """

    request: Request
    rule: Rule
    user: str
    ip: str | None
    device: str
    device_known: bool
    network: str
    path: str
    params: dict[str, str]
    now: float
    record: bool
    body: bytes | None = None


class Signal(Protocol):
    name: str
    points: int

    async def measure(self, subject: Subject, store: Store) -> int:
        """Points to add: 0 where the signal does not hold."""
        ...
