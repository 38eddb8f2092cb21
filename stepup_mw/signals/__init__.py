"""Risk signals: one file each. A signal looks at the subject and says how many points it adds, at most its own.

A signal decides nothing. One that raises or takes too long adds the points configured for that, its own unless told
otherwise: doubt never lowers a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..errors import SignalError
from ..geo import UNKNOWN, Geo
from ..messages import Request
from ..policy import Rule
from ..state import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What signals see. ``device``, ``network`` (the address's /24 or /48), ``autonomous_system`` and ``country`` are
    keyed hashes, "" where there is none.

    ip: the client's address, in doubt (``ip_doubt``) the nearest one that is sure. geo: where it is, None where no
    database is configured. doubt: why nobody can say where the request comes from, "" where that is sure. record:
    count this request (live) or only say what it would be (explain); the answer is the same. lost_at: since when the
    store is known to have lost what it knew, 0.0 where it has not, or somebody has accepted it.
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
    geo: Geo | None = None
    autonomous_system: str = ""
    country: str = ""
    ip_doubt: bool = False
    doubt: str = ""
    lost_at: float = 0.0

    def sure_ip(self) -> str | None:
        """The client's address. SignalError in doubt."""
        if self.ip_doubt:
            raise SignalError(self.doubt)
        return self.ip

    def sure_geo(self) -> Geo:
        """Where the client is. SignalError in doubt."""
        if self.doubt:
            raise SignalError(self.doubt)
        return self.geo or UNKNOWN


async def nothing_was_lost(store: Store) -> None:
    """To be asked before "nothing to compare with" counts for nothing. SignalError where the store lost what it knew,
    and nobody has accepted that yet: what there was to compare with may have gone with it."""
    if await store.loss() is not None:
        raise SignalError("the store lost what was known of this user")


class Finding(NamedTuple):
    """What a signal found: its points, 0 where it does not hold, and what was compared with what. The words are put
    together when somebody asks for them."""

    points: int
    words: str
    values: tuple[Any, ...] = ()
    failed: bool = False

    def __str__(self) -> str:
        return self.words.format(*self.values)


class Signal(Protocol):
    name: str
    points: int

    async def measure(self, subject: Subject, store: Store) -> Finding: ...


class Weighted(NamedTuple):
    """A signal, and the points it adds when it fails."""

    signal: Signal
    on_failure: int
