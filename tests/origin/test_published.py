"""A published database of ip-location-db (CC0), as a user would name it: another reader, and the table without a file,
say the same of addresses all over the world."""

from __future__ import annotations

import ipaddress
import random
import subprocess
import time
from pathlib import Path

import pytest

from stepup_mw.geodata.countries import Countries
from stepup_mw.geodata.mmdb import Database

from ..npm import npm_folder

PACKAGE = "@ip-location-db/geo-whois-asn-country-mmdb"
VERSION = "2.3.2026061719"


@pytest.fixture(scope="module")
def published() -> Path:
    return next((npm_folder(f"{PACKAGE}@{VERSION}") / PACKAGE).glob("*country.mmdb"))


@pytest.fixture(scope="module")
def database(published: Path) -> Database:
    with published.open("rb") as file:
        return Database.load(file, published)


def _anywhere(count: int) -> list[str]:
    chance = random.Random(7)
    four = [str(ipaddress.IPv4Address(chance.randrange(1 << 24, 223 << 24))) for _ in range(count)]
    return [*four, *(str(ipaddress.IPv6Address((0x2 << 124) + chance.randrange(1 << 124))) for _ in range(count))]


@pytest.mark.slow
def test_most_addresses_have_a_country_and_a_table_without_a_file_agrees(database: Database) -> None:
    countries = Countries()
    pairs = [(database.locate(ip).country, countries.locate(ip).country) for ip in _anywhere(4000)[:4000]]
    both = [(one, other) for one, other in pairs if one and other]
    assert len([one for one, _ in pairs if one]) > 3000
    assert sum(one == other for one, other in both) > 0.9 * len(both) > 2500
    assert database.knows() == {"country"}
    assert database.built > time.mktime((2026, 1, 1, 0, 0, 0, 0, 0, 0))


@pytest.mark.slow
def test_mmdblookup_reads_the_same_countries(database: Database, published: Path) -> None:
    for ip in _anywhere(60):
        command = ["mmdblookup", "--file", str(published), "--ip", ip, "country_code"]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        country = database.locate(ip).country
        assert (f'"{country}"' in told) if country else '"' not in told


@pytest.mark.slow
def test_it_is_loaded_and_asked_in_little_time(database: Database, published: Path) -> None:
    begun = time.perf_counter()
    with published.open("rb") as file:
        fresh = Database.load(file, published)
    assert time.perf_counter() - begun < 5
    begun = time.perf_counter()
    for ip in _anywhere(5000):
        fresh.locate(ip)
    assert time.perf_counter() - begun < 5
