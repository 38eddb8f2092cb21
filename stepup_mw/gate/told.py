"""What the gate tells people beside the record: notices, handed over and never waited for."""

from __future__ import annotations

from typing import Any

from ..encoding import safe_text
from ..forwarding import Address
from ..messages import Request
from ..notices import Kind, Notice
from ..state import FOREVER, Attempt, Sighting
from .services import Services
from .visit import Person, shown_user

Seen = dict[str, str | None]
"""``ip`` and ``user_agent`` of the request that a notice is about."""


def tell(services: Services, kind: Kind, user: str, **detail: Any) -> None:
    """Hand a notice over, where anybody wants one."""
    if services.notify is not None:
        now = services.clock()
        services.notify(
            Notice(
                notice_id=services.new_id(now),
                kind=kind,
                user=user,
                service=services.settings.service,
                at=now,
                detail=detail,
            )
        )


def seen_from(address: Address, request: Request) -> Seen:
    """From where, for a notice."""
    return {"ip": address.ip, "user_agent": safe_text(request.header_text(b"user-agent"), 256) or None}


def lock_begun(services: Services, person: Person, counted: Attempt, seen: Seen) -> bytes:
    """An account is locked by this attempt: its line, and the notice to its owner."""
    until = {"failures": counted.failures, "locked_until": shown_until(counted.locked_until)}
    tell(services, "locked", person.user, **until, **seen)
    return services.journal.notice("throttle", "locked", user=shown_user(services, person.user), detail=until)


def shown_until(until: float) -> float | None:
    """The end of a lock as lines have it; None for one that only an unlock ends."""
    return until if until < FOREVER else None


async def tell_of_proof(
    services: Services, person: Person, method: str, seen: Seen, sighting: Sighting | None = None
) -> None:
    """A code has been right: whether that is news to its owner. ``sighting``: as the device was known before; None: it
    is not remembered yet."""
    if services.notify is None:
        return
    if method == "recovery_code":
        tell(services, "recovery_code_used", person.user, left=await services.store.recovery_left(person.user), **seen)
    if person.device:
        known = sighting or await services.store.sighting(person.user, "device", person.device)
        if known.any and not known.known:
            tell(services, "new_device", person.user, **seen)
