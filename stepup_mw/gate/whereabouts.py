"""Where a request comes from, as the gate sees it and as lines show it, and what is remembered of it after a proof."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from ..encoding import safe_text
from ..errors import DataError
from ..forwarding import Address, Doubt
from ..geo import UNKNOWN, Geo, format_spot
from ..messages import Request
from ..origin import MAX_AGENT, client_hints, coarse_client_hints, coarse_user_agent, line_of, network_of, truncated
from ..state import SightingKind
from .services import Services

KEEP_SIGHTINGS = 50

_log = logging.getLogger("stepup_mw")


class Whereabouts(NamedTuple):
    """``network``: the /24 or /48 of the address. ``geo``: where it is, None where no database is configured, or it
    failed (``failed`` says why)."""

    address: Address
    network: str
    geo: Geo | None = None
    failed: str = ""

    @property
    def doubt(self) -> str:
        """Why nobody can say for sure where the request comes from; "" where that is sure."""
        if self.address.doubt is not None:
            return f"the client's address is in doubt: {self.address.doubt.why}"
        return self.failed


def locate(services: Services, request: Request) -> Whereabouts:
    """The client's address, through the trusted proxies, and where it is."""
    address = services.clients.of(request)
    geo, failed = None, ""
    if services.sources.geo is not None:
        try:
            geo = services.sources.geo.locate(address.ip) if address.ip is not None else UNKNOWN
        except DataError as error:
            _log.warning("where a request comes from is not known: %s", error)
            failed = str(error)
    return Whereabouts(address=address, network=network_of(address.ip), geo=geo, failed=failed)


def mark_of(services: Services, where: Whereabouts, kind: SightingKind) -> str:
    """What stands for a network, an autonomous system or a country in the store: a keyed hash. For a network that is
    none, "". A country that is not known is one of its own, and the network stands in for a system that is not."""
    if kind == "country":
        text = where.geo.country or "?" if where.geo is not None else ""
    elif kind == "asn" and where.geo is not None and where.geo.asn is not None:
        text = f"AS{where.geo.asn}"
    else:
        text = where.network
    return services.keyring.digest(kind, text) if text and kind != "device" else ""


def throttled(services: Services, address: Address) -> str:
    """Under what the attempts of an address are counted; "" where none is known."""
    line = line_of(address.ip)
    return services.keyring.digest("address", line) if line else ""


class Traces(NamedTuple):
    """What is remembered after a proof: keyed hashes of whence it came, and the place, sealed, b"" for none."""

    seen: tuple[tuple[SightingKind, str], ...] = ()
    place: bytes = b""


def traces_of(services: Services, user: str, where: Whereabouts) -> Traces:
    """What no signal asks for is not kept, and in doubt nothing of a place."""
    if where.address.doubt is not None:
        return Traces()
    marks = [(kind, mark_of(services, where, kind)) for kind in services.remembers]
    seen = tuple((kind, mark) for kind, mark in marks if mark and (kind == "network" or where.geo is not None))
    spot = where.geo.spot if where.geo is not None else None
    if not services.remembers_places or spot is None:
        return Traces(seen)
    return Traces(seen, services.keyring.seal("place", format_spot(spot), user))


async def remember(services: Services, user: str, device: str, where: Whereabouts, now: float) -> None:
    """A user has proved themself, from here."""
    store, traces = services.store, traces_of(services, user, where)
    if device:
        await store.remember(user, "device", device, now=now, keep=KEEP_SIGHTINGS)
    for kind, mark in traces.seen:
        await store.remember(user, kind, mark, now=now, keep=KEEP_SIGHTINGS)
    if traces.place:
        await store.put_place(user, traces.place, now=now)


def shown_address(services: Services, address: Address) -> dict[str, Any]:
    """An address as lines show it: ``ip``, and ``ip_prefix`` where only so many bits of it are (``audit.ip``)."""
    if services.settings.trail.ip == "full":
        return {"ip": address.ip}
    ip, bits = truncated(address.ip)
    return {"ip": ip, "ip_prefix": bits}


def _shown_doubt(services: Services, doubt: Doubt) -> dict[str, Any]:
    whole = services.settings.trail.ip == "full"
    claims = {"xff": doubt.xff, "forwarded": doubt.forwarded}
    return {"why": doubt.why, **{name: ip if whole else truncated(ip)[0] for name, ip in claims.items()}}


def origin_of(services: Services, request: Request, where: Whereabouts, device: str, known: bool) -> dict[str, Any]:
    """The ``origin`` object of a line. ``device`` is a keyed hash, "" for none."""
    agent, address = (request.header(b"user-agent") or b"")[:MAX_AGENT], where.address
    describe, geo = services.sources.describe, services.sources.geo
    coarse, client, shown = _browser(describe, agent, client_hints(request))
    return {
        **shown_address(services, address),
        "ip_source": address.source,
        "ip_doubt": _shown_doubt(services, address.doubt) if address.doubt is not None else None,
        "geo": (where.geo or UNKNOWN).as_line() if geo is not None else None,
        "device_id": device or None,
        "device_known": known,
        "fingerprint": services.keyring.digest("fingerprint", coarse) if coarse else None,
        "client": client,
        "user_agent": shown,
    }


@lru_cache(maxsize=4096)
def _browser(
    describe: Callable[[str], str | None] | None, agent: bytes, hints: tuple[bytes, ...]
) -> tuple[str, str | None, str | None]:
    """What is hashed of a browser, its words, and its user agent as lines show it: people share browsers."""
    text = agent.decode("latin-1")
    client = describe(text) if describe is not None and text else None
    return coarse_user_agent(text) + coarse_client_hints(hints), client, safe_text(text, 256) if text else None
