"""Where an address is, as far as a database knows: countries, cities, networks by number, and distances on the globe.

Reads the records of both dialects that MMDB files are written in: nested, as MaxMind and DB-IP do it
(``country.iso_code``, ``location.latitude``), and flat, as ip-location-db does (``country_code``, ``latitude``).
What a record says is text from outside: what is not of the right kind is left out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from .encoding import safe_text

EARTH_KM = 6371.0
_MAX_NAME = 80
_AS_NUMBER = re.compile("(?:AS)?([0-9]{1,10})", re.ASCII)


class Geo(NamedTuple):
    """``country`` is an ISO 3166-1 code, ``asn`` the number of the network's autonomous system. ``radius_km``: how far
    from the coordinates the address may well be. None for what is not known. A named tuple, for one is made for every
    address and a frozen dataclass takes four times as long."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    asn: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    radius_km: float | None = None

    @property
    def spot(self) -> Spot | None:
        """The coordinates, if they are known."""
        if self.latitude is None or self.longitude is None:
            return None
        return Spot(latitude=self.latitude, longitude=self.longitude, radius_km=self.radius_km, name=self.name)

    @property
    def name(self) -> str:
        """``London, GB``; "" where nothing is known."""
        return ", ".join(part for part in (self.city, self.country) if part)

    def as_line(self) -> dict[str, Any]:
        """The ``geo`` object of an audit line: always the same keys."""
        return {"country": self.country, "region": self.region, "city": self.city, "asn": self.asn}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place on the globe, and how exactly it is known; None where nobody says."""

    latitude: float
    longitude: float
    radius_km: float | None
    name: str = ""


UNKNOWN = Geo()


def format_spot(spot: Spot) -> bytes:
    """``[51.5,-0.12,20.0,"London, GB"]``"""
    return orjson.dumps([spot.latitude, spot.longitude, spot.radius_km, spot.name])


def parse_spot(data: bytes) -> Spot:
    """ValueError for what ``format_spot`` did not write."""
    latitude, longitude, radius_km, name = orjson.loads(data)
    return Spot(latitude=latitude, longitude=longitude, radius_km=radius_km, name=name)


class Locator(Protocol):
    """What knows where addresses are. DataError where it cannot tell, which is not the same as UNKNOWN."""

    def locate(self, ip: str) -> Geo: ...


def distance_km(one: Spot, other: Spot) -> float:
    """Along a great circle (haversine)."""
    here, there = math.radians(one.latitude), math.radians(other.latitude)
    south = math.sin((there - here) / 2) ** 2
    west = math.sin(math.radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, south + math.cos(here) * math.cos(there) * west)))


def merged(first: Geo, second: Geo) -> Geo:
    """What the first knows, and the second's word on the rest. Coordinates and their radius stay together."""
    spot = first if first.latitude is not None else second
    return Geo(
        first.country or second.country,
        first.region or second.region,
        first.city or second.city,
        first.asn if first.asn is not None else second.asn,
        spot.latitude,
        spot.longitude,
        spot.radius_km,
    )


def read_record(record: object) -> Geo:
    """A record of an MMDB file, of either dialect; UNKNOWN for one that says nothing of use."""
    if not isinstance(record, dict):
        return UNKNOWN
    latitude, longitude, radius_km = _spot(record)
    city = record.get("city")
    return Geo(
        _country(record),
        _region(record),
        _name(city) if city is not None else None,
        _as_number(record),
        latitude,
        longitude,
        radius_km,
    )


def _spot(record: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    location = record.get("location")
    place = location if isinstance(location, dict) else record
    if "latitude" not in place:
        return None, None, None
    latitude, longitude = _number(place["latitude"], 90), _number(place.get("longitude"), 180)
    if latitude is None or longitude is None:
        return None, None, None
    radius = _number(place.get("accuracy_radius"), 25_000)
    return latitude, longitude, radius if radius is None or radius >= 0 else None


def _country(record: dict[str, Any]) -> str | None:
    code = record.get("country_code")
    if code is None:
        country = record.get("country")
        code = country.get("iso_code") if isinstance(country, dict) else country
    if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha():
        return code.upper()
    return None


def _region(record: dict[str, Any]) -> str | None:
    nested = record.get("subdivisions")
    if isinstance(nested, list) and nested:
        return _name(nested[0])
    name = record.get("state1") or record.get("region")
    return _name(name) if name is not None else None


def _name(value: object) -> str | None:
    """A name, or a table of names by language, English first; or a code, where there is no name."""
    if isinstance(value, dict):
        names = value.get("names")
        named = names.get("en") or next(iter(names.values()), None) if isinstance(names, dict) else None
        value = named or value.get("iso_code")
    return safe_text(value, _MAX_NAME) or None if isinstance(value, str) else None


def _as_number(record: dict[str, Any]) -> int | None:
    value = record.get("autonomous_system_number") or record.get("asn") or record.get("as_number")
    if value is None:
        return None
    if isinstance(value, str) and _AS_NUMBER.fullmatch(value):
        value = int(value.removeprefix("AS"))
    return value if isinstance(value, int) and 0 < value < 2**32 and value is not True else None


def _number(value: object, most: float) -> float | None:
    """A number, or its text, from ``-most`` to ``most``."""
    if isinstance(value, float):
        return value if -most <= value <= most else None
    if value is None or isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if -most <= number <= most else None
