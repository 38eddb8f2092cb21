"""Records of both dialects, whatever stands in them; distances; databases against another reader of the format."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.errors import DataError
from stepup_mw.geo import UNKNOWN, Geo, Spot, distance_km, format_spot, merged, parse_spot, read_record
from stepup_mw.geodata import GeoData
from stepup_mw.geodata.countries import Countries
from stepup_mw.geodata.mmdb import Database

from .databases import (
    BERLIN,
    FLAT,
    LONDON,
    MANCHESTER,
    NESTED,
    NOWHERE,
    SOMEWHERE,
    SYDNEY,
    SYSTEMS,
    Records,
    write_database,
)


def load(path: Path, **settings: Any) -> Database:
    with path.open("rb") as file:
        return Database.load(file, path, **settings)


def opened(folder: Path, records: Records, **settings: Any) -> Database:
    return load(write_database(folder / "test.mmdb", records, **settings))


PLACES = [
    (LONDON, ("GB", "England", "London"), 51.5142),
    (MANCHESTER, ("GB", "England", "Manchester"), 53.4809),
    (SYDNEY, ("AU", "New South Wales", "Sydney"), -33.8688),
    (BERLIN, ("DE", "Land Berlin", "Berlin"), 52.5244),
    (SOMEWHERE, ("FR", None, None), None),
    (NOWHERE, (None, None, None), None),
    ("2001:db8:50::1", (None, None, None), None),
]


@pytest.mark.parametrize(("records", "radius"), [(NESTED, 20), (FLAT, None)], ids=["nested", "flat"])
def test_both_dialects_say_the_same(records: Records, radius: float | None, tmp_path: Path) -> None:
    database = opened(tmp_path, records)
    for ip, place, latitude in PLACES:
        found = database.locate(ip)
        assert (found.country, found.region, found.city) == place
        assert found.latitude == latitude
        assert (found.spot is None) == (latitude is None)
    assert database.locate(LONDON).radius_km == radius
    assert database.locate(NOWHERE) is UNKNOWN
    assert database.knows() == {"country", "place"}


def test_a_second_file_says_what_the_first_does_not_know(tmp_path: Path) -> None:
    cities, systems = opened(tmp_path, NESTED), opened(tmp_path, SYSTEMS, kind="Test-ASN")
    assert systems.knows() == {"asn"}
    both = GeoData([lambda: cities.locate, lambda: systems.locate])
    line = {"country": "GB", "region": "England", "city": "London", "asn": 64500}
    assert both.locate(LONDON).as_line() == line
    assert both.locate(SOMEWHERE).as_line() == {"country": "FR", "region": None, "city": None, "asn": 64502}
    assert both.locate(NOWHERE).as_line() == dict.fromkeys(line)
    assert GeoData([]).locate(LONDON) is UNKNOWN


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (
            {"country": "US", "asn": "AS15169", "city": "Mountain View"},
            Geo(country="US", asn=15169, city="Mountain View"),
        ),
        ({"country": "United States", "country_code": "us"}, Geo(country="US")),
        ({"country": {"names": {"en": "Nowhere"}}}, UNKNOWN),
        ({"country_code": "USA"}, UNKNOWN),
        ({"country_code": 7, "city": ["x"], "subdivisions": {}, "location": []}, UNKNOWN),
        ({"city": {"names": {"fr": "Genève"}}}, Geo(city="Genève")),
        ({"city": {"names": {}}, "subdivisions": [{"iso_code": "GE"}]}, Geo(region="GE")),
        ({"subdivisions": []}, UNKNOWN),
        ({"city": "a" * 500}, Geo(city="a" * 79 + "…")),
        ({"city": "\x1b[2Jx\u202e"}, Geo(city="\\u001b[2Jx\\u202e")),
        ({"city": ""}, UNKNOWN),
        ({"latitude": "51.5", "longitude": "-0.12"}, Geo(latitude=51.5, longitude=-0.12)),
        ({"latitude": 51.5}, UNKNOWN),
        ({"latitude": 91, "longitude": 0}, UNKNOWN),
        ({"latitude": float("nan"), "longitude": 0}, UNKNOWN),
        ({"latitude": True, "longitude": False}, UNKNOWN),
        ({"location": {"latitude": 1, "longitude": 2, "accuracy_radius": -5}}, Geo(latitude=1.0, longitude=2.0)),
        ({"autonomous_system_number": 0}, UNKNOWN),
        ({"autonomous_system_number": 2**32}, UNKNOWN),
        ({"asn": "AS-x"}, UNKNOWN),
        ([], UNKNOWN),
        (None, UNKNOWN),
        ("GB", UNKNOWN),
    ],
)
def test_what_is_not_of_the_right_kind_is_left_out(record: Any, found: Geo) -> None:
    assert read_record(record) == found


KEYS = st.sampled_from(
    ["country", "country_code", "city", "names", "en", "iso_code", "subdivisions", "state1", "location", "latitude",
     "longitude", "accuracy_radius", "asn", "autonomous_system_number"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5))


@given(st.dictionaries(KEYS, VALUES))
def test_a_record_of_anything_is_no_error(record: dict[str, Any]) -> None:
    found = read_record(record)
    assert set(found.as_line()) == {"country", "region", "city", "asn"}
    if found.spot is not None:
        assert parse_spot(format_spot(found.spot)) == found.spot
        assert math.isfinite(distance_km(found.spot, Spot(latitude=0, longitude=0, radius_km=None)))


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [
        ((51.5142, -0.0931), (-33.8688, 151.2093), 16_990),
        ((51.5142, -0.0931), (53.4809, -2.2374), 261),
        ((0, 0), (0, 180), 20_015),
        ((90, 0), (-90, 77), 20_015),
        ((0, 179.5), (0, -179.5), 111),
        ((12, 34), (12, 34), 0),
    ],
)
def test_distances(one: tuple[float, float], other: tuple[float, float], km: int) -> None:
    spots = [Spot(latitude=latitude, longitude=longitude, radius_km=None) for latitude, longitude in (one, other)]
    assert distance_km(*spots) == pytest.approx(km, abs=3)
    assert distance_km(*reversed(spots)) == distance_km(*spots)


def test_coordinates_and_their_radius_stay_together() -> None:
    first, second = Geo(country="GB", radius_km=5.0), Geo(latitude=1.0, longitude=2.0, asn=7, country="DE")
    assert merged(first, second) == Geo(country="GB", latitude=1.0, longitude=2.0, asn=7)


@pytest.mark.parametrize("records", [NESTED, FLAT, SYSTEMS], ids=["nested", "flat", "systems"])
def test_mmdblookup_finds_the_same(records: Records, tmp_path: Path) -> None:
    """libmaxminddb's own command, from Debian's mmdb-bin."""
    database = opened(tmp_path, records)
    for ip, _, _ in PLACES:
        command = ["mmdblookup", "--file", str(tmp_path / "test.mmdb"), "--ip", ip]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        found = database.locate(ip)
        assert (told.returncode == 0) == (found is not UNKNOWN)
        for value in (found.country, found.region, found.city):
            assert value is None or f'"{value}"' in told.stdout
        assert found.latitude is None or f"{found.latitude:.6f} <double>" in told.stdout
        assert found.asn is None or f"{found.asn}" in told.stdout


def test_an_ipv4_database_does_not_know_ipv6(tmp_path: Path) -> None:
    database = opened(tmp_path, {"203.0.113.0/24": {"country_code": "GB"}}, version=4)
    assert database.locate(LONDON).country == "GB"
    assert database.locate(BERLIN) is UNKNOWN


def test_a_database_that_is_broken_inside_cannot_tell(tmp_path: Path) -> None:
    """It opens, and its records are not: what it does not say must not be guessed."""
    path = write_database(tmp_path / "test.mmdb", NESTED)
    data = path.read_bytes()
    at = data.index(b"country")
    path.write_bytes(data[: at - 40] + b"\xff" * 80 + data[at + 40 :])
    database = load(path)
    broken: list[str] = []
    for ip, _, _ in PLACES[:5]:
        try:
            database.locate(ip)
        except DataError as error:
            broken.append(str(error))
    assert broken
    assert all(text.startswith(f"{path}: cannot be asked") for text in broken)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xab\xcd\xefMaxMind.com"], ids=["empty", "text", "nothing"])
def test_what_is_no_database_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "test.mmdb"
    path.write_bytes(content)
    for look in (Database.look, load):
        with pytest.raises(DataError, match="not an MMDB file, or a broken one"):
            look(path)


def test_a_file_written_over_in_place_changes_nothing_and_kills_nobody(tmp_path: Path) -> None:
    """The reader maps its file: truncated under it, the next look would be a SIGBUS. It has a copy."""
    database = opened(tmp_path, NESTED)
    with (tmp_path / "test.mmdb").open("r+b") as file:
        file.truncate(0)
    assert database.locate(SYDNEY).city == "Sydney"
    assert not list(tmp_path.glob("stepup-geo-*"))


def test_facts_and_age(tmp_path: Path) -> None:
    database = opened(tmp_path, FLAT, kind="Test-City", built=1_795_000_000)
    assert database.facts["type"] == "Test-City"
    assert database.facts["built"] == "2026-11-18T11:06:40Z"
    assert len(database.facts["sha256"]) == 64
    assert database.complaint(1_795_000_000 + 1e9) is None
    strict = load(tmp_path / "test.mmdb", stale_after_s=90 * 86_400)
    assert strict.complaint(1_795_000_000 + 90 * 86_400) is None
    words = strict.complaint(1_795_000_000 + 91 * 86_400)
    assert words == "built on 2026-11-18, 91 days ago; addresses move, get a newer one"


def test_the_table_of_countries_needs_no_file() -> None:
    countries = Countries()
    assert countries.locate("8.8.8.8").country == "US"
    assert countries.locate("2001:4860:4860::8888").country == "US"
    assert countries.locate("10.0.0.1") is UNKNOWN
    assert countries.locate("8.8.8.8").as_line() == {"country": "US", "region": None, "city": None, "asn": None}
