"""Signals that ask where a request comes from, alone: what holds, in which words, and what is doubt."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.address_list import AddressList, parse_networks
from stepup_mw.errors import SealError, SignalError
from stepup_mw.geo import Geo, Spot, format_spot
from stepup_mw.signals import Finding, Signal
from stepup_mw.signals.address_list import OnAddressList
from stepup_mw.signals.impossible_travel import ImpossibleTravel
from stepup_mw.signals.new_country import NewCountry
from stepup_mw.signals.new_network import NewNetwork
from stepup_mw.state import Store
from stepup_mw.stores.memory import MemoryStore
from tests.core.samples import NOW
from tests.core.test_signals import find

HOUR = 3600.0


def plain(_user: str, sealed: bytes) -> bytes:
    return sealed


def gone(_user: str, _sealed: bytes) -> bytes:
    raise SealError("sealed under a key that is not configured")


def at(latitude: float, longitude: float, radius_km: float | None = 20.0, **more: Any) -> Geo:
    return Geo(latitude=latitude, longitude=longitude, radius_km=radius_km, **more)


LONDON = at(51.5142, -0.0931, city="London", country="GB")
SYDNEY = at(-33.8688, 151.2093, city="Sydney", country="AU")
READING = at(51.4543, -0.9781, 5.0, city="Reading", country="GB")


def proved_at(geo: Geo, hours_ago: float, user: str = "alice") -> Store:
    store = MemoryStore()
    spot = geo.spot
    assert spot is not None
    asyncio.run(store.put_place(user, format_spot(spot), now=NOW - hours_ago * HOUR))
    return store


def travel(store: Store, geo: Geo, *, max_kmh: int = 900, **changes: Any) -> Finding:
    return find(ImpossibleTravel(40, unseal=plain, max_kmh=max_kmh), store, geo=geo, **changes)


@pytest.mark.parametrize(
    ("geo", "hours_ago", "points"),
    [
        (SYDNEY, 1, 40),
        (SYDNEY, 18.7, 40),
        (SYDNEY, 18.8, 0),
        (SYDNEY, 24 * 365, 0),
        (SYDNEY, 0, 40),
        (SYDNEY, -5, 40),
        (SYDNEY, -100, 40),
        (READING, 0, 0),
        (LONDON, 0, 0),
        (at(53.4809, -2.2374, 20.0), 0.1, 40),
        (at(53.4809, -2.2374, 300.0), 0.1, 0),
        (at(53.4809, -2.2374, None), 0.1, 40),
        (at(53.4809, -2.2374, None), 0.2, 0),
    ],
    ids=["1h", "just too fast", "just possible", "a year", "at once", "clock back", "clock far back", "near", "same",
         "manchester", "no idea where", "no radius", "no radius, more time"],
)  # fmt: skip
def test_a_way_that_nobody_can_have_made(geo: Geo, hours_ago: float, points: int) -> None:
    assert travel(proved_at(LONDON, hours_ago), geo).points == points


def test_travel_in_words() -> None:
    assert str(travel(proved_at(LONDON, 2), SYDNEY)) == (
        "Sydney, AU is 16,991 km from London, GB, the last proof 2 hours ago; less 100 km of uncertainty that is "
        "8,446 km/h, "
        "more than 900"
    )
    assert str(travel(proved_at(LONDON, 48), SYDNEY)).endswith("that is 352 km/h, at most 900")
    assert str(travel(MemoryStore(), SYDNEY)) == "Sydney, AU: no earlier place of this user to compare with"
    assert str(travel(proved_at(LONDON, 2), Geo(country="AU"))) == "this address has no known place"
    assert travel(proved_at(LONDON, 2), SYDNEY, max_kmh=100_000).points == 0
    assert travel(proved_at(LONDON, 2), SYDNEY, user="bob").points == 0


def test_a_place_under_a_key_that_is_gone_is_doubt() -> None:
    with pytest.raises(SealError):
        find(ImpossibleTravel(40, unseal=gone), proved_at(LONDON, 2), geo=SYDNEY)


def country(store: Store, geo: Geo, mark: str) -> Finding:
    return find(NewCountry(25), store, geo=geo, country=mark)


def test_a_country_is_new_where_others_are_known() -> None:
    store = MemoryStore()
    assert country(store, LONDON, "h:gb") == Finding(0, "{}: no earlier country of this user to compare with", ("GB",))
    asyncio.run(store.remember("alice", "country", "h:gb", now=NOW, keep=5))
    assert str(country(store, LONDON, "h:gb")) == "GB: this user has proved themself from there before"
    found = country(store, SYDNEY, "h:au")
    assert (found.points, str(found)) == (25, "AU: this user has proved themself from other countries only")
    unknown = country(store, Geo(), "h:?")
    assert (unknown.points, str(unknown)[:16]) == (25, "no country known")


def network(store: Store, by: Any, geo: Geo | None, **marks: str) -> Finding:
    return find(NewNetwork(15, by=by), store, geo=geo, ip="203.0.113.9", **marks)


def test_a_network_by_its_prefix_or_its_system() -> None:
    store = MemoryStore()
    asyncio.run(store.remember("alice", "network", "h:n1", now=NOW, keep=5))
    asyncio.run(store.remember("alice", "asn", "h:64500", now=NOW, keep=5))
    moved = {"network": "h:n2", "autonomous_system": "h:64500"}
    by_prefix, by_asn = network(store, "prefix", None, **moved), network(store, "asn", Geo(asn=64500), **moved)
    assert (by_prefix.points, str(by_prefix)[:14]) == (15, "203.0.113.0/24")
    assert (by_asn.points, str(by_asn)) == (0, "AS64500: this user has proved themself from there before")
    elsewhere = network(store, "asn", Geo(), network="h:n1", autonomous_system="h:n1")
    assert elsewhere.points == 15
    assert str(elsewhere).startswith("203.0.113.0/24 (no AS number known): this user has proved themself from other")


class Listed:
    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.value = AddressList(parse_networks(text, name))


def test_an_address_on_one_of_the_lists() -> None:
    signal = OnAddressList(40, lists=[Listed("a.txt", "10.0.0.0/8"), Listed("b.txt", "203.0.113.0/24\n2001:db8::/32")])
    found = find(signal, ip="203.0.113.9")
    assert (found.points, str(found)) == (40, "203.0.113.9 stands on b.txt")
    assert find(signal, ip="2001:db8::1").points == 40
    free = find(signal, ip="198.51.100.7")
    assert (free.points, str(free)) == (0, "198.51.100.7 stands on none of a.txt, b.txt")
    assert find(signal, ip=None).points == 0


NEEDS_GEO: list[Signal] = [NewCountry(25), NewNetwork(15, by="asn"), ImpossibleTravel(40, unseal=plain)]
NEEDS_ADDRESS: list[Signal] = [NewNetwork(15), OnAddressList(40, lists=[])]


@pytest.mark.parametrize("signal", NEEDS_GEO + NEEDS_ADDRESS, ids=lambda signal: signal.name)
def test_who_cannot_tell_where_a_request_comes_from_says_so(signal: Signal) -> None:
    with pytest.raises(SignalError, match="the client's address is in doubt"):
        find(signal, ip_doubt=True, doubt="the client's address is in doubt: disagreement")


@pytest.mark.parametrize("signal", NEEDS_GEO, ids=lambda signal: signal.name)
def test_a_database_that_fails_is_doubt_for_those_who_ask_it(signal: Signal) -> None:
    with pytest.raises(SignalError, match="cannot be asked"):
        find(signal, doubt="x.mmdb: cannot be asked")


@pytest.mark.parametrize("signal", NEEDS_ADDRESS, ids=lambda signal: signal.name)
def test_and_for_nobody_else(signal: Signal, tmp_path: Path) -> None:
    assert find(signal, doubt="x.mmdb: cannot be asked").points == 0


def test_a_spot_of_no_name_has_words_too() -> None:
    store = MemoryStore()
    asyncio.run(store.put_place("alice", format_spot(Spot(latitude=0, longitude=0, radius_km=None)), now=NOW))
    assert str(travel(store, at(0.0, 0.0))).startswith("here is 0 km from there, the last proof 1 second ago")
