"""A flow over several services: the one that a service before us has handed on, and ours for those behind.

Trusted only if signed with the shared key, by a service that is named in ``flow.accept``, for this very user and in
its time. Anything else is ignored, and the line says why; nothing is ever let through for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..demands import FLOW_HEADER
from ..errors import BadToken
from ..flow_token import Flow, sign_flow, verify_flow
from ..messages import Request
from .services import Services

HEADER = FLOW_HEADER.lower().encode("ascii")


class Upstream(NamedTuple):
    """``flow_id``: the flow to go on with, "" for one of our own. ``shown``: for the ``trace`` object of the line."""

    flow_id: str
    shown: dict[str, Any]


def upstream_of(services: Services, request: Request, user: str, now: float) -> Upstream | None:
    """What a ``Step-Up-Flow`` header says; None where there is none."""
    values = request.header_values(HEADER)
    if not values:
        return None
    settings = services.settings.flow
    if settings is None or not settings.accept:
        return Upstream("", {"ignored": "not_configured"})
    try:
        if len(values) > 1:
            raise BadToken("shape")
        flow = verify_flow(settings.keys, values[0].decode("latin-1"), user=user, now=now)
        if flow.service not in settings.accept:
            raise BadToken("service")
    except BadToken as error:
        return Upstream("", {"ignored": error.reason})
    return Upstream(flow.flow_id, {"service": flow.service, "flow_id": flow.flow_id})


def handed_on(services: Services, flow_id: str, user: str, now: float) -> str | None:
    """The header's value for the services behind us; None where none is sent."""
    settings = services.settings.flow
    if settings is None or not settings.send:
        return None
    return sign_flow(settings.keys, Flow(flow_id, services.settings.service, int(now) + settings.ttl_s), user)
