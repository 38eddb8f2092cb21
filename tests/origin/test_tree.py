"""The search tree, walked by us: it leads where the reader's own walk leads, in every width, family and spelling."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.errors import DataError
from stepup_mw.geo import read_record
from stepup_mw.geodata.mmdb import Database
from stepup_mw.geodata.tree import SearchTree

from .databases import LONDON, NESTED, Records, widen, write_database

WORLD: Records = {
    **{f"{first}.{second}.0.0/16": {"country_code": f"{chr(65 + second)}A"} for first in (1, 9) for second in range(9)},
    **{f"9.200.{third}.0/{25 + third % 7}": {"asn": third + 1} for third in range(40)},
    **{f"2001:db8:{part:x}::/{44 + part % 20}": {"asn": 900 + part} for part in range(0, 4000, 97)},
    "2c00::/6": {"asn": 7},
}
NEAR = st.sampled_from([1 << 24, 9 << 24, (9 << 24) + (200 << 16)]).flatmap(
    lambda base: st.integers(base, base + 0xFFFF * 30).map(ipaddress.IPv4Address)
)
NEAR6 = st.integers(0, 4000).flatmap(
    lambda part: st.integers(0, (1 << 80) - 1).map(
        lambda rest: ipaddress.IPv6Address((0x20010DB8 << 96) + (part << 80) + rest)
    )
)


@pytest.fixture(scope="module", params=[24, 28, 32])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, Any]:
    path = write_database(tmp_path_factory.mktemp("tree") / "test.mmdb", WORLD)
    if request.param > 24:
        widen(path, request.param)
    return Database.look(path), maxminddb.open_database(str(path))


@given(address=NEAR | NEAR6 | st.ip_addresses())
def test_an_address_has_the_record_that_the_reader_finds(
    opened: tuple[Database, Any], address: ipaddress.IPv4Address
) -> None:
    database, reader = opened
    found, told = database.locate(str(address)), read_record(reader.get(address))
    assert found == told


def test_a_record_is_read_once_for_all_its_addresses(tmp_path: Path) -> None:
    path = write_database(tmp_path / "test.mmdb", NESTED)
    database = Database.look(path)
    first = database.locate(LONDON)
    assert all(database.locate(f"203.0.113.{last}") is first for last in range(128))
    assert database.locate("203.0.113.128") is not first


@pytest.mark.parametrize("bits", [24, 28, 32])
def test_an_ipv4_database_begins_at_its_root(bits: int, tmp_path: Path) -> None:
    path = write_database(tmp_path / "test.mmdb", {"203.0.113.0/24": {"country_code": "GB"}}, version=4)
    if bits > 24:
        widen(path, bits)
    database = Database.look(path)
    assert [database.locate(f"203.0.{third}.1").country for third in (112, 113, 114)] == [None, "GB", None]


@pytest.mark.parametrize(("nodes", "bits"), [(10**6, 24), (10, 26), (10, 0)])
def test_a_tree_that_is_not_whole_is_none(nodes: int, bits: int, tmp_path: Path) -> None:
    path = write_database(tmp_path / "test.mmdb", NESTED)
    with path.open("rb") as file, pytest.raises(ValueError, match="not whole"):
        SearchTree(file, nodes=nodes, record_bits=bits, ip_version=6)


def test_a_file_cut_inside_its_tree_is_refused(tmp_path: Path) -> None:
    path = write_database(tmp_path / "test.mmdb", NESTED)
    data = path.read_bytes()
    path.write_bytes(data[:300] + data[data.rindex(b"\xab\xcd\xefMaxMind.com") :])
    with path.open("rb") as file, pytest.raises(DataError, match="not an MMDB file, or a broken one"):
        Database.load(file, path)
