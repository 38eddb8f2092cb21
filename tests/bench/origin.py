"""What geo and device cost of a sensitive request: beside a line that says only the peer's address."""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path

from stepup_mw.asgi import StepUpMiddleware
from stepup_mw.gate.cookies import read_device
from stepup_mw.gate.services import Services
from stepup_mw.gate.sources import NO_SOURCES
from stepup_mw.gate.whereabouts import locate, origin_of
from stepup_mw.messages import Request
from tests.origin.databases import write_database

from .apps import HEADERS, wrapped
from .rounds import Case, interleave, table

CLIENTS = 10_000
"""So many addresses, networks and device cookies in turn are more than every cache holds."""

BROWSERS = 300
"""User agents there are at a time: browsers have frozen theirs but for the version."""

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
)


def measure(rounds: int) -> str:
    """The CPU of finding out and writing down where a request comes from, for one client and for ever other ones."""
    logging.disable(logging.WARNING)
    cities, systems = _world(Path(tempfile.mkdtemp(prefix="stepup-bench-")))
    geo = {"database": str(cities), "asn_database": str(systems)}
    app = wrapped(10, more={"geo": geo, "device": {"describe": True}})
    services = app.assembly.gate.services
    blind = dataclasses.replace(services, sources=NO_SOURCES)
    rows = []
    ever = "ever other clients"
    for who, clients, apart in (
        ("the same client", 1, 1),
        (ever, CLIENTS, 3),
        (f"{ever}, each in another /24", CLIENTS, 256),
    ):
        cases = {
            "address": _case(blind, app, range(clients), apart, with_device=False),
            "geo": _case(services, app, range(CLIENTS, CLIENTS + clients), apart, with_device=False),
            "device": _case(blind, app, range(2 * CLIENTS, 2 * CLIENTS + clients), apart, with_device=True),
            "both": _case(services, app, range(3 * CLIENTS, 3 * CLIENTS + clients), apart, with_device=True),
        }
        found = interleave(cases, rounds=rounds * 20, slice_s=0.002)
        base = found["address"].best
        added = [f"{(found[name].best - base) / 1000:.1f}" for name in ("geo", "device", "both")]
        rows.append([who, f"{base / 1000:.1f}", *added])
    head = "best us | the address alone | added by geo | by device, hints and words | by both"
    return "### Geo and device of a sensitive request\n\n" + table(head, rows)


def _case(services: Services, app: StepUpMiddleware, numbers: range, apart: int, *, with_device: bool) -> Case:
    """Clients of its own, so that no case finds in a cache what another has put there."""
    turns = itertools.cycle([_request(app, number, apart, with_device=with_device) for number in numbers])

    def run(count: int) -> None:
        for request in itertools.islice(turns, count):
            device = read_device(services, request)
            hashed = services.keyring.digest("device", device) if device else ""
            origin_of(services, request, locate(services, request), hashed, known=False)

    return run


def _request(app: StepUpMiddleware, number: int, apart: int, *, with_device: bool) -> Request:
    """A browser behind a proxy, so many addresses from the next; its cookie and hints only where they are measured."""
    version = 40 + number % BROWSERS
    address = ipaddress.IPv4Address("203.0.0.0") + number * apart
    extra = [("user-agent", CHROME.format(version)), ("x-forwarded-for", str(address))]
    if with_device:
        token = app.assembly.gate.services.keyring.sign("device", f"{number:022d}")
        brands = f'"Chromium";v="{version}", "Google Chrome";v="{version}", "Not?A_Brand";v="8"'
        extra += [("cookie", f"stepup-device={token}"), ("sec-ch-ua", brands), ("sec-ch-ua-mobile", "?0")]
        extra += [("sec-ch-ua-platform", '"Windows"')]
    kept = [(name, value) for name, value in HEADERS if name != b"user-agent"]
    headers = (*kept, *((name.encode(), value.encode()) for name, value in extra))
    return Request(method="POST", path="/transfer", headers=headers, peer="127.0.0.1")


def _world(folder: Path) -> tuple[Path, Path]:
    """Forty thousand networks of a thousand cities, each with its autonomous system."""
    networks = [f"203.{number >> 8}.{number & 255}.0/24" for number in range(4 * CLIENTS)]
    return (
        write_database(
            folder / "cities.mmdb", {network: _city(number % 1000) for number, network in enumerate(networks)}
        ),
        write_database(folder / "systems.mmdb", dict(_systems(networks)), kind="Test-ASN"),
    )


def _city(number: int) -> dict[str, object]:
    return {
        "country": {"iso_code": "GB", "names": {"de": "Vereinigtes Königreich", "en": "United Kingdom"}},
        "subdivisions": [{"iso_code": "ENG", "names": {"en": "England"}}],
        "city": {"names": {"de": f"Ort {number}", "en": f"Town {number}"}},
        "location": {
            "latitude": 51.0 + number / 1000,
            "longitude": -0.1,
            "accuracy_radius": 20,
            "time_zone": "Etc/UTC",
        },
    }


def _systems(networks: Iterable[str]) -> Iterable[tuple[str, dict[str, object]]]:
    for number, network in enumerate(networks):
        yield (
            network,
            {"autonomous_system_number": 64500 + number % 1000, "autonomous_system_organization": "Example Net"},
        )
