"""What the signals say about one request: each asked in turn, and what fails adds its points."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType

from ..errors import BodyTooLarge, SignalError
from ..messages import Request
from ..policy import Match
from ..signals import Finding, Subject, Weighted
from .services import Services
from .whereabouts import Whereabouts, mark_of

NOTHING_FOUND: Mapping[str, Finding] = MappingProxyType({})

_log = logging.getLogger("stepup_mw")


async def read_body(services: Services, request: Request) -> bytes | None:
    """What the signals see of the body; None where none wants to, or it is over the cap."""
    if not services.reads_body:
        return None
    try:
        return await request.read_body(services.settings.challenge.resume_max_body)
    except BodyTooLarge:
        return None


def make_subject(
    services: Services,
    request: Request,
    match: Match,
    where: Whereabouts,
    *,
    user: str,
    device: str,
    known: bool,
    body: bytes | None,
    now: float,
    record: bool,
) -> Subject:
    """What the signals are shown."""
    return Subject(
        request=request,
        rule=match.rule,
        user=user,
        ip=where.address.ip,
        device=device,
        device_known=known,
        network=mark_of(services, where, "network"),
        autonomous_system=mark_of(services, where, "asn"),
        country=mark_of(services, where, "country"),
        path=match.path,
        params=dict(match.params),
        now=now,
        record=record,
        geo=where.geo,
        ip_doubt=where.address.doubt is not None,
        doubt=where.doubt,
        body=body,
        lost_at=services.lost.standing,
    )


async def measure(services: Services, subject: Subject) -> dict[str, Finding]:
    """What each signal found, by its name."""
    return {each.signal.name: await _ask(services, each, subject) for each in services.signals}


async def _ask(services: Services, weighted: Weighted, subject: Subject) -> Finding:
    signal, points = weighted
    try:
        return await signal.measure(subject, services.store)
    except SignalError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - a signal of the user's may raise anything; doubt adds its points
        why = "it took too long" if isinstance(error, TimeoutError) else f"it raised {type(error).__name__}"
    _log.warning("signal %s cannot tell, %d points are added: %s", signal.name, points, why)
    return Finding(points, "cannot tell: {}", (why,), failed=True)
