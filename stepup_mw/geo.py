"""Where an address is, as far as a database knows: countries, cities, networks by number, and distances on the globe.

Reads the records of both dialects that MMDB files are written in: nested, as MaxMind and DB-IP do it
(``country.iso_code``, ``location.latitude``), and flat, as ip-location-db does (``country_code``, ``latitude``).
What a record says is text from outside: what is not of the right kind is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from .encoding import safe_text

EARTH_KM = 6371.0
_MAX_NAME = 80
_COUNTRY = re.compile("[A-Z]{2}", re.ASCII)
_AS_NUMBER = re.compile("(?:AS)?([0-9]{1,10})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Geo:
    """``country`` is an ISO 3166-1 code, ``asn`` the number of the network's autonomous system. ``radius_km``: how far
    from the coordinates the address may well be. None for what is not known."""

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
    spot = first if first.spot is not None else second
    return Geo(
        country=first.country or second.country,
        region=first.region or second.region,
        city=first.city or second.city,
        asn=first.asn if first.asn is not None else second.asn,
        latitude=spot.latitude,
        longitude=spot.longitude,
        radius_km=spot.radius_km,
    )


def read_record(record: object) -> Geo:
    """A record of an MMDB file, of either dialect; UNKNOWN for one that says nothing of use."""
    if not isinstance(record, Mapping):
        return UNKNOWN
    location = record.get("location")
    place = location if isinstance(location, Mapping) else record
    latitude, longitude = _number(place.get("latitude"), 90), _number(place.get("longitude"), 180)
    located = latitude is not None and longitude is not None
    return Geo(
        country=_country(record),
        region=_region(record),
        city=_name(record.get("city")),
        asn=_as_number(record),
        latitude=latitude if located else None,
        longitude=longitude if located else None,
        radius_km=_radius(place.get("accuracy_radius")),
    )


def _country(record: Mapping[str, Any]) -> str | None:
    country = record.get("country")
    nested = country.get("iso_code") if isinstance(country, Mapping) else country
    for code in (record.get("country_code"), nested):
        if isinstance(code, str) and _COUNTRY.fullmatch(code.upper()):
            return code.upper()
    return None


def _region(record: Mapping[str, Any]) -> str | None:
    nested = record.get("subdivisions")
    if isinstance(nested, list) and nested:
        return _name(nested[0])
    return _name(record.get("state1")) or _name(record.get("region"))


def _name(value: object) -> str | None:
    """A name, or a table of names by language, English first; or a code, where there is no name."""
    if isinstance(value, Mapping):
        names = value.get("names")
        named = names.get("en") or next(iter(names.values()), None) if isinstance(names, Mapping) else None
        value = named or value.get("iso_code")
    return safe_text(value, _MAX_NAME) or None if isinstance(value, str) else None


def _as_number(record: Mapping[str, Any]) -> int | None:
    for key in ("autonomous_system_number", "asn", "as_number"):
        value = record.get(key)
        match = _AS_NUMBER.fullmatch(str(value)) if isinstance(value, int | str) else None
        if match and 0 < int(match[1]) < 2**32:
            return int(match[1])
    return None


def _number(value: object, most: float) -> float | None:
    """A number, or its text, from ``-most`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if -most <= number <= most else None


def _radius(value: object) -> float | None:
    number = _number(value, 25_000)
    return number if number is not None and number >= 0 else None
