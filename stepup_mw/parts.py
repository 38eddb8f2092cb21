"""What works beside the gate in a process of its own time: the shipper of checkpoints, the courier of notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import events
from .couriers import Courier
from .identifiers import IdentifierSource
from .named import make_destinations
from .settings import Settings
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
