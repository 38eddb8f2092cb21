"""What geo and device cost of a sensitive request: beside a line that says only the peer's address."""

from __future__ import annotations

import dataclasses
import gc
import ipaddress
import itertools
import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stepup_mw.asgi import StepUpMiddleware
from stepup_mw.gate.cookies import read_device
from stepup_mw.gate.services import Services
from stepup_mw.gate.sources import NO_SOURCES
from stepup_mw.gate.whereabouts import locate, origin_of
from stepup_mw.messages import Request
from tests.origin.databases import write_database

from .apps import HEADERS, wrapped
from .rounds import table

CLIENTS = 10_000
"""So many addresses, networks and device cookies in turn are more than every cache holds."""

BATCH = 64

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
    ever = "ever other clients"
    rows = []
    for who, clients, apart in (
        ("the same client", 1, 1),
        (ever, CLIENTS, 3),
        (f"{ever}, each in another /24", CLIENTS, 256),
    ):
        makers = [_maker(app, place, clients, apart, with_device=place > 1) for place in range(4)]
        found = _best(list(zip(makers, (blind, services, blind, services), strict=True)), rounds * 60)
        rows.append([who, f"{found[0]:.1f}", *(f"{each - found[0]:.1f}" for each in found[1:])])
    head = "best us | the address alone | added by geo | by device, hints and words | by both"
    return "### Geo and device of a sensitive request\n\n" + table(head, rows)


def _maker(app: StepUpMiddleware, place: int, clients: int, apart: int, *, with_device: bool) -> Iterator[Request]:
    """Requests of clients of its own, so that no case finds in a cache what another has put there."""
    for number in itertools.cycle(range(place * CLIENTS, place * CLIENTS + clients)):
        yield _request(app, number, apart, with_device=with_device)


def _best(cases: Sequence[tuple[Iterator[Request], Services]], rounds: int) -> list[float]:
    """Microseconds a request, the best batch of each case. A batch is made just before, as a server has just read it,
    and is not timed; the cases take turns."""
    taken: list[list[float]] = [[] for _ in cases]
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for (requests, services), found in zip(cases, taken, strict=True):
                batch = list(itertools.islice(requests, BATCH))
                begun = time.perf_counter_ns()
                for request in batch:
                    _look(services, request)
                found.append((time.perf_counter_ns() - begun) / len(batch) / 1000)
    finally:
        gc.enable()
    return [min(found) for found in taken]


def _look(services: Services, request: Request) -> None:
    device = read_device(services, request)
    hashed = services.keyring.digest("device", device) if device else ""
    origin_of(services, request, locate(services, request), hashed, known=False)


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
