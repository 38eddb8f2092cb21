"""What the gate works with: one frozen set of parts. A reload makes a new set and swaps it in whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..app_secrets import SecretProvider
from ..forwarding import Clients
from ..identity import Provider
from ..keyring import Keyring
from ..notices import Notice
from ..pages import Pages
from ..policy import Policy
from ..settings import Settings
from ..signals import Weighted
from ..state import SightingKind, Store
from .journal import Journal
from .lost import Lost
from .sources import NO_SOURCES, Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """clock: Unix seconds. random: n random bytes, for secrets. new_id: a UUIDv7 for a Unix second.

    sources: what is known about origins. remembers: what signals want to know again after a proof, remembers_places
    the place. reads_body: some signal wants to see the body. secrets: the app's own authenticators, if it has any.
    notify: hands a notice over, if anybody wants one; never waits, never raises. lost: what the
    housekeeping knows of a store that lost what it knew; the one thing here that changes.
    """

    settings: Settings
    policy: Policy
    store: Store
    journal: Journal
    pages: Pages
    keyring: Keyring
    identify: Provider
    signals: Sequence[Weighted]
    clients: Clients
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    new_id: Callable[[float], str]
    sources: Sources = NO_SOURCES
    remembers: Sequence[SightingKind] = ("network",)
    remembers_places: bool = False
    reads_body: bool = False
    secrets: SecretProvider | None = None
    notify: Callable[[Notice], None] | None = None
    lost: Lost = field(default_factory=Lost)
