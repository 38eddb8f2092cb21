"""Where requests come from, through the gate: what the line says, what is remembered, what failure adds."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from pathlib import Path
from typing import Any

import pyotp
import pytest

from stepup_mw.config import load_config
from stepup_mw.enrollment import enroll
from stepup_mw.errors import DataError
from stepup_mw.gate import Gate
from stepup_mw.gate.services import Services
from stepup_mw.gate.sources import Sources
from stepup_mw.geo import Geo
from stepup_mw.messages import Pass
from tests.config.samples import ENVIRON, MINIMAL
from tests.core.samples import Clock, Shelf, make, make_request

from ..identity.issuer import AUDIENCE, ISSUER, mint, public_jwk, written
from .databases import LONDON, MANCHESTER, NESTED, NOWHERE, SOMEWHERE, SYDNEY, SYSTEMS, write_database

SIGNALS = {
    "new_country": 20,
    "new_network": {"points": 5, "by": "asn"},
    "impossible_travel": {"points": 9, "on_failure": 11},
}


class World:
    """A gate over a memory store, and a person with an authenticator."""

    def __init__(self, folder: Path, signals: dict[str, Any], **changes: Any) -> None:
        write_database(folder / "cities.mmdb", NESTED)
        write_database(folder / "systems.mmdb", SYSTEMS, kind="Test-ASN")
        geo = {"database": str(folder / "cities.mmdb"), "asn_database": str(folder / "systems.mmdb")}
        self.shelf, self.clock = Shelf(), Clock()
        self.services: Services = make(
            self.shelf,
            self.clock,
            risk={"signals": signals, "deny_at": 100},
            **{"geo": geo, "identity": {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
               **changes},
        )  # fmt: skip
        self.secret = asyncio.run(enroll(self.services, "alice")).secret

    def ask(self, ip: str, **headers: str) -> dict[str, Any]:
        """The first line of a request from an address, without a code."""
        return self._send({"X-Auth-User": "alice", "X-Forwarded-For": ip, **headers})

    def prove(self, ip: str, **headers: str) -> dict[str, Any]:
        """The same with the right code, each of another time step."""
        self.clock.now += 30
        code = pyotp.TOTP(self.secret).at(self.clock.now)
        return self._send({"X-Auth-User": "alice", "X-Forwarded-For": ip, "Step-Up-Code": code, **headers}, reach=True)

    def _send(self, headers: dict[str, str], *, reach: bool = False) -> dict[str, Any]:
        before = len(self.shelf.records)
        answer = asyncio.run(Gate(self.services).handle(make_request(headers=headers)))
        assert isinstance(answer, Pass) == reach, answer
        return next(line for line in self.shelf.lines()[before:] if line["event_type"] == "step_up")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, SIGNALS)


def signals(line: dict[str, Any]) -> dict[str, int]:
    return {name: points for name, points in line["risk"]["signals"].items() if name != "route"}


def test_the_line_says_where_and_always_with_the_same_keys(world: World) -> None:
    assert world.ask(LONDON)["origin"]["geo"] == {"country": "GB", "region": "England", "city": "London", "asn": 64500}
    assert world.ask(SOMEWHERE)["origin"]["geo"] == {"country": "FR", "region": None, "city": None, "asn": 64502}
    assert world.ask(NOWHERE)["origin"]["geo"] == {"country": None, "region": None, "city": None, "asn": None}
    assert world.ask("")["origin"]["geo"] == world.ask(NOWHERE)["origin"]["geo"]


def test_what_is_new_is_so_until_the_person_has_proved_themself_there(world: World) -> None:
    assert signals(world.ask(LONDON)) == {}
    assert signals(world.prove(LONDON)) == {}
    assert signals(world.ask(LONDON)) == {}
    assert signals(world.ask(MANCHESTER)) == {"impossible_travel": 9}
    assert signals(world.ask(SYDNEY)) == {"new_country": 20, "new_network": 5, "impossible_travel": 9}
    assert signals(world.ask(SYDNEY)) == {"new_country": 20, "new_network": 5, "impossible_travel": 9}
    assert signals(world.prove(SYDNEY)) == {"new_country": 20, "new_network": 5, "impossible_travel": 9}
    assert signals(world.ask(SYDNEY)) == {}
    assert signals(world.ask(LONDON)) == {"impossible_travel": 9}
    world.clock.now += 86_400
    assert signals(world.ask(LONDON)) == {}


def test_an_address_that_nobody_knows_is_as_new_as_another_country(world: World) -> None:
    world.prove(LONDON)
    assert signals(world.ask(NOWHERE)) == {"new_country": 20, "new_network": 5}
    world.prove(NOWHERE)
    assert signals(world.ask(NOWHERE)) == {}
    assert signals(world.ask(SYDNEY)) == {"new_country": 20, "new_network": 5, "impossible_travel": 9}


def test_two_headers_that_disagree_add_the_points_of_all_who_ask_where_it_is(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.prove(LONDON)
    line = world.ask(LONDON, Forwarded=f"for={SYDNEY}")
    assert signals(line) == {"new_country": 20, "new_network": 5, "impossible_travel": 11}
    assert line["risk"]["failed"] == ["new_country", "new_network", "impossible_travel"]
    assert line["origin"]["ip_doubt"] == {"why": "disagreement", "xff": LONDON, "forwarded": SYDNEY}
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert (
        "signal impossible_travel cannot tell, 11 points are added: the client's address is in doubt: disagreement"
        in told
    )


def test_a_proof_from_a_place_in_doubt_makes_no_place_known(world: World) -> None:
    world.prove(LONDON)
    world.prove(SYDNEY, Forwarded=f"for={LONDON}")
    assert signals(world.ask(LONDON)) == {}
    for ip in (SYDNEY, NOWHERE):
        assert {"new_country", "new_network"} <= set(signals(world.ask(ip)))


def test_a_token_that_is_a_proof_makes_its_place_known_once_an_authentication(tmp_path: Path) -> None:
    """Who sends the same authentication on from elsewhere is let in, as a proof says, and makes nothing known."""
    written(tmp_path, public_jwk("rsa1"))
    identity = {"provider": "jwt", "jwks": str(tmp_path / "jwks.json"), "issuer": ISSUER, "audience": AUDIENCE,
                "acr": ["urn:mfa"], "trusted_proxies": ["127.0.0.1"]}  # fmt: skip
    world = World(tmp_path, SIGNALS, identity=identity)

    def send(ip: str, auth_time: float, jti: str) -> dict[str, int]:
        token = mint("rsa1", world.clock.now, auth_time=int(auth_time), jti=jti)
        headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": ip}
        return signals(world._send(headers, reach=True))

    first = world.clock.now
    everything = {"new_country": 20, "new_network": 5, "impossible_travel": 9}
    assert send(LONDON, first, "t1") == {}
    assert send(SYDNEY, first, "t1") == send(SYDNEY, first, "t2") == everything
    assert send(LONDON, first, "t3") == {}
    world.clock.now += 60
    assert send(SYDNEY, world.clock.now, "t4") == everything
    assert send(SYDNEY, world.clock.now, "t5") == {}


class Broken:
    def locate(self, ip: str) -> Geo:
        raise DataError("cities.mmdb", f"cannot be asked for {ip}")


def test_a_database_that_fails_adds_the_points_and_is_on_record(world: World) -> None:
    world.prove(LONDON)
    world.services = dataclasses.replace(world.services, sources=Sources(geo=Broken()))
    line = world.ask(LONDON)
    assert signals(line) == {"new_country": 20, "new_network": 5, "impossible_travel": 11}
    assert line["risk"]["failed"] == ["new_country", "new_network", "impossible_travel"]
    assert line["origin"]["geo"] == {"country": None, "region": None, "city": None, "asn": None}
    assert line["origin"]["ip_doubt"] is None
    world.prove(LONDON)


def test_a_failure_may_add_nothing_and_still_is_on_record(tmp_path: Path) -> None:
    world = World(tmp_path, {"new_country": {"points": 20, "on_failure": 0}})
    line = world.ask(LONDON, Forwarded="for=x")
    assert (signals(line), line["risk"]["failed"]) == ({}, ["new_country"])


def test_where_nothing_fails_the_risk_is_as_it_always_was(world: World) -> None:
    assert set(world.ask(LONDON)["risk"]) == {"score", "challenge_at", "deny_at", "signals"}


@pytest.mark.parametrize(
    ("chosen", "kinds", "place"),
    [
        ({"new_device": 5}, {"network"}, False),
        ({"new_country": 5}, {"network", "country"}, False),
        ({"new_network": {"points": 5, "by": "asn"}}, {"network", "asn"}, False),
        ({"impossible_travel": 5}, {"network"}, True),
    ],
    ids=["none", "country", "asn", "travel"],
)
def test_only_what_a_signal_asks_for_is_kept(
    chosen: dict[str, Any], kinds: set[str], place: bool, tmp_path: Path
) -> None:
    world = World(tmp_path, chosen)
    world.prove(LONDON)
    every: tuple[Any, ...] = ("network", "asn", "country")

    async def kept() -> tuple[set[str], bytes]:
        seen = {kind for kind in every if (await world.services.store.sighting("alice", kind, "x")).any}
        found = await world.services.store.place("alice")
        return seen, found.sealed if found else b""

    seen, sealed = asyncio.run(kept())
    assert (seen, bool(sealed)) == (kinds, place)
    assert b"London" not in sealed


def test_without_a_database_geo_is_null(tmp_path: Path) -> None:
    world = World(tmp_path, {"new_device": 5}, geo=None)
    assert world.ask(LONDON)["origin"]["geo"] is None


def test_a_list_that_changes_while_the_service_runs(tmp_path: Path) -> None:
    (tmp_path / "tor.txt").write_text(f"{SYDNEY}\n")
    world = World(tmp_path, {"address_list": {"points": 20, "files": [str(tmp_path / "tor.txt")]}})
    assert (signals(world.ask(LONDON)), signals(world.ask(SYDNEY))) == ({}, {"address_list": 20})

    def sweep() -> list[Any]:
        before = len(world.shelf.records)
        for _ in range(2):
            asyncio.run(Gate(world.services).sweep())
        return [(line["phase"], line["detail"]) for line in world.shelf.lines()[before:]]

    (tmp_path / "tor.txt").write_text(f"{LONDON}\n198.51.100.128/25\n")
    ((phase, detail),) = sweep()
    assert (phase, detail["file"], detail["entries"]) == ("data_changed", "tor.txt", 2)
    assert (signals(world.ask(LONDON)), signals(world.ask(SYDNEY))) == ({"address_list": 20}, {})
    (tmp_path / "tor.txt").write_text("oops\n")
    ((phase, detail),) = sweep()
    assert phase == "data_failed"
    assert 'found "oops"' in detail["error"]
    assert signals(world.ask(LONDON)) == {"address_list": 20}


def test_a_database_that_is_replaced_while_the_service_runs(world: World, tmp_path: Path) -> None:
    assert world.ask(LONDON)["origin"]["geo"]["city"] == "London"
    write_database(tmp_path / "cities.mmdb", {"203.0.113.0/24": {"country_code": "IE", "city": "Cork"}})
    for _ in range(2):
        asyncio.run(Gate(world.services).sweep())
    changed = world.shelf.lines()[-1]
    assert (changed["phase"], changed["detail"]["key"], changed["detail"]["type"]) == (
        "data_changed",
        "geo.database",
        "Test-City",
    )
    geo = world.ask(LONDON)["origin"]["geo"]
    assert geo == {"country": "IE", "region": None, "city": "Cork", "asn": 64500}


def test_the_browser_in_words_and_its_fingerprint(tmp_path: Path) -> None:
    world = World(tmp_path, {}, device={"describe": True})
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"
    hints = {"Sec-CH-UA-Platform": '"Windows"', "Sec-CH-UA-Mobile": "?0"}

    def origin(version: str, brands: str | None = None, **more: str) -> dict[str, Any]:
        asked = {**hints, "Sec-CH-UA": brands, **more} if brands is not None else {}
        found: dict[str, Any] = world.ask(LONDON, **{"User-Agent": chrome.format(version)}, **asked)["origin"]
        return found

    bare = origin("141.0.0.0")
    assert bare["client"] == "Chrome 141 on Windows 10"
    assert bare["user_agent"] == chrome.format("141.0.0.0")
    brands = '"Chromium";v="141", "Google Chrome";v="141", "Not?A_Brand";v="8"'
    hinted = origin("141.0.0.0", brands)
    updated = origin("142.0.0.0", '"Not_A Brand";v="99", "Google Chrome";v="142", "Chromium";v="142"')
    other = origin("142.0.0.0", '"Chromium";v="142", "Brave";v="142", "Not_A Brand";v="99"')
    mobile = origin("142.0.0.0", brands, **{"Sec-CH-UA-Mobile": "?1"})
    assert hinted["fingerprint"] == updated["fingerprint"]
    assert len({each["fingerprint"] for each in (bare, hinted, other, mobile)}) == 4
    silent = world.ask(LONDON)["origin"]
    assert (silent["client"], silent["fingerprint"], silent["user_agent"]) == (None, None, None)
    strange = world.ask(LONDON, **{"User-Agent": "x"})["origin"]
    assert (strange["client"], strange["user_agent"]) == (None, "x")


def test_without_device_describe_there_are_no_words(world: World) -> None:
    origin = world.ask(LONDON, **{"User-Agent": "Mozilla/5.0 Firefox/141.0"})["origin"]
    assert origin["client"] is None
    assert list(origin) == ["ip", "ip_source", "ip_doubt", "geo", "device_id", "device_known", "fingerprint", "client",
                            "user_agent"]  # fmt: skip


def test_the_configuration_of_the_readme(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    block = next(part for part in readme.split("```toml\n")[1:] if part.startswith("[geo]")).partition("```")[0]
    write_database(tmp_path / "GeoLite2-City.mmdb", NESTED)
    write_database(tmp_path / "GeoLite2-ASN.mmdb", SYSTEMS)
    (tmp_path / "tor-exits.txt").write_text("192.0.2.1\n")
    (tmp_path / "stepup.toml").write_text(MINIMAL + block)
    found = load_config(tmp_path / "stepup.toml", ENVIRON)
    assert [spec.name for spec in found.settings.risk.signals] == [
        "new_country", "impossible_travel", "new_network", "address_list", "large_amount",
    ]  # fmt: skip
    assert not [str(warning) for warning in found.warnings if "geo" in str(warning)]
