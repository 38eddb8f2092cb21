"""Where a request comes from, as the gate sees it and as lines show it."""

from __future__ import annotations

from typing import Any

from ..encoding import safe_text
from ..forwarding import Address, Doubt
from ..messages import Request
from ..origin import coarse_user_agent, truncated
from .services import Services


def locate(services: Services, request: Request) -> Address:
    """The client's address, through the trusted proxies."""
    return services.clients.of(request)


def shown_address(services: Services, address: Address) -> dict[str, Any]:
    """An address as lines show it: ``ip``, and ``ip_prefix`` where only so many bits of it are (``audit.ip``)."""
    if services.settings.trail.ip == "full":
        return {"ip": address.ip}
    ip, bits = truncated(address.ip)
    return {"ip": ip, "ip_prefix": bits}


def _shown_doubt(services: Services, doubt: Doubt | None) -> dict[str, Any] | None:
    if doubt is None:
        return None
    whole = services.settings.trail.ip == "full"
    claims = {"xff": doubt.xff, "forwarded": doubt.forwarded}
    return {"why": doubt.why, **{name: ip if whole else truncated(ip)[0] for name, ip in claims.items()}}


def origin_of(services: Services, request: Request, address: Address, device: str, known: bool) -> dict[str, Any]:
    """The ``origin`` object of a line. ``device`` is a keyed hash, "" for none."""
    agent = request.header_text(b"user-agent")
    return {
        **shown_address(services, address),
        "ip_source": address.source,
        "ip_doubt": _shown_doubt(services, address.doubt),
        "geo": None,
        "device_id": device or None,
        "device_known": known,
        "fingerprint": services.keyring.digest("fingerprint", coarse_user_agent(agent)) if agent else None,
        "user_agent": safe_text(agent, 256) if agent else None,
    }
