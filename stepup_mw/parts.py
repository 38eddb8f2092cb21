"""The gate's parts made from settings, and what works beside it: the shipper of checkpoints, the courier of notices."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import events
from .app_secrets import SecretProvider
from .config.keyfile import open_keyring
from .couriers import Courier
from .data_files import open_sources
from .forwarding import Clients
from .gate.journal import Journal
from .gate.services import Services
from .identifiers import IdentifierSource
from .named import make_destinations, make_provider, make_signals, remembered_by
from .notices import Notice
from .origin import Networks
from .pages import Pages
from .policy import Policy
from .settings import Settings
from .state import Store
from .trail import Trail

if TYPE_CHECKING:
    from .ship import Shipper


def make_shipper(settings: Settings, trail: Trail, clock: Callable[[], float]) -> Shipper | None:
    """What sends checkpoints to the anchors; None where there are none. MissingExtra where one needs a package."""
    if not settings.trail.anchors:
        return None
    from .ship import Shipper  # noqa: PLC0415 - loaded only where there are anchors

    return Shipper(settings.trail, settings.service, clock=clock, record=make_recorder(settings, trail, clock))


def make_courier(settings: Settings, trail: Trail, clock: Callable[[], float]) -> Courier | None:
    """What carries notices to people; None where nobody wants any. ConfigError for a function that is not there."""
    destinations = make_destinations(settings.notices)
    if not destinations:
        return None
    return Courier(destinations, settings.notices.kinds, make_recorder(settings, trail, clock))


def make_recorder(settings: Settings, trail: Trail, clock: Callable[[], float]) -> Callable[..., None]:
    """Puts an event that concerns no request on record, without waiting: its type, its phase, its detail."""
    new_id = IdentifierSource()

    def record(event_type: str, phase: str, detail: Mapping[str, Any]) -> None:
        now = clock()
        trail.post(
            [events.other(event_type, phase, now=now, event_id=new_id(now), service=settings.service, detail=detail)]
        )

    return record


def make_services(
    settings: Settings,
    store: Store,
    trail: Trail,
    clock: Callable[[], float],
    secrets: SecretProvider | None = None,
    window: Callable[[], None] | None = None,
    notify: Callable[[Notice], None] | None = None,
) -> Services:
    """The gate's parts for one set of settings. ``window`` raises TrailUnavailable while nothing may go through;
    ``notify`` hands a notice over."""
    new_id = IdentifierSource()
    journal = Journal(
        trail,
        service=settings.service,
        clock=clock,
        new_id=new_id,
        allow_on_failure=settings.trail.on_failure == "allow",
        window=window,
    )
    trusted = Networks(settings.identity.trusted_proxies)
    keyring, sources = open_keyring(settings, os.urandom), open_sources(settings)
    return Services(
        settings=settings,
        policy=Policy(settings.rules, settings.challenge.prefix),
        store=store,
        journal=journal,
        pages=Pages(settings.page, settings.service),
        keyring=keyring,
        identify=make_provider(settings.identity, trusted, clock),
        signals=make_signals(settings.risk, sources, keyring),
        sources=sources,
        remembers=remembered_by(settings.risk),
        remembers_places=any(spec.name == "impossible_travel" for spec in settings.risk.signals),
        clients=Clients(trusted, settings.identity.forwarded_header),
        clock=clock,
        random=os.urandom,
        new_id=new_id,
        reads_body=any("call" in spec.params for spec in settings.risk.signals),
        secrets=secrets,
        notify=notify,
    )
