"""Small MMDB files in both dialects: a made-up world of five places and three networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

Records = Mapping[str, Mapping[str, Any]]

LONDON, MANCHESTER, SYDNEY = "203.0.113.9", "203.0.113.200", "198.51.100.7"
BERLIN, SOMEWHERE, NOWHERE = "2001:db8:49::1", "192.0.2.5", "100.64.0.1"


def _nested(country: str, region: str, city: str, latitude: float, longitude: float, radius: int) -> dict[str, Any]:
    return {
        "continent": {"code": "EU"},
        "country": {"iso_code": country, "names": {"de": "x", "en": country.lower()}},
        "registered_country": {"iso_code": "ZZ"},
        "subdivisions": [{"iso_code": region[:3].upper(), "names": {"en": region}}, {"iso_code": "INNER"}],
        "city": {"geoname_id": 1, "names": {"de": f"{city} (de)", "en": city}},
        "location": {"latitude": latitude, "longitude": longitude, "accuracy_radius": radius, "time_zone": "Etc/UTC"},
    }


NESTED: Records = {
    "203.0.113.0/25": _nested("GB", "England", "London", 51.5142, -0.0931, 20),
    "203.0.113.128/25": _nested("GB", "England", "Manchester", 53.4809, -2.2374, 20),
    "198.51.100.0/24": _nested("AU", "New South Wales", "Sydney", -33.8688, 151.2093, 10),
    "2001:db8:49::/48": _nested("DE", "Land Berlin", "Berlin", 52.5244, 13.4105, 5),
    "192.0.2.0/24": {"country": {"iso_code": "FR"}},
}
"""As MaxMind and DB-IP write it."""

FLAT: Records = {
    "203.0.113.0/25": {"country_code": "GB", "state1": "England", "city": "London", "latitude": 51.5142,
                       "longitude": -0.0931, "timezone": "Etc/UTC"},
    "203.0.113.128/25": {"country_code": "GB", "state1": "England", "city": "Manchester", "latitude": 53.4809,
                         "longitude": -2.2374},
    "198.51.100.0/24": {"country_code": "AU", "state1": "New South Wales", "city": "Sydney", "latitude": -33.8688,
                        "longitude": 151.2093},
    "2001:db8:49::/48": {"country_code": "DE", "state1": "Land Berlin", "city": "Berlin", "latitude": 52.5244,
                         "longitude": 13.4105},
    "192.0.2.0/24": {"country_code": "FR"},
}  # fmt: skip
"""As ip-location-db writes it."""

SYSTEMS: Records = {
    "203.0.113.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"},
    "198.51.100.0/24": {"autonomous_system_number": 64501, "autonomous_system_organization": "Other Net"},
    "192.0.2.0/25": {"asn": "AS64502", "as_name": "Third Net"},
}


def write_database(
    path: Path, records: Records, *, kind: str = "Test-City", built: int | None = None, version: int = 6
) -> Path:
    """``built``: Unix seconds, None for now."""
    writer = MMDBWriter(version, kind, languages=["en"], description="a made-up world", ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), dict(record))
    new = path.with_suffix(".new")
    writer.to_db_file(str(new))
    if built is not None:
        _redate(new, built)
    new.replace(path)
    return path


def _redate(path: Path, built: int) -> None:
    """The writer dates a database with the moment it is written: put another in its place, of the same width."""
    data = bytearray(path.read_bytes())
    at = data.index(b"build_epoch", data.rindex(b"MaxMind.com")) + len(b"build_epoch")
    size = data[at] & 0x1F
    data[at + 2 : at + 2 + size] = built.to_bytes(size, "big")
    path.write_bytes(data)


def widen(path: Path, record_bits: int) -> None:
    """The same database with wider records in its tree, as large ones have them: of 28 or 32 bits instead of 24."""
    with maxminddb.open_database(str(path)) as reader:
        assert reader.metadata().record_size == 24
        nodes = reader.metadata().node_count
    data = path.read_bytes()
    at = data.index(b"record_size", data.rindex(b"MaxMind.com")) + len(b"record_size") + 1
    tree = b"".join(_wide(data[6 * node : 6 * node + 6], record_bits) for node in range(nodes))
    path.write_bytes(tree + data[6 * nodes : at] + bytes([record_bits]) + data[at + 1 :])


def _wide(node: bytes, record_bits: int) -> bytes:
    return b"\0".join([b"", node[:3], node[3:]]) if record_bits == 32 else node[:3] + b"\0" + node[3:]
