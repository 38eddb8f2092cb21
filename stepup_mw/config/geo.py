"""``[geo]`` and ``[device]``: what is known about where a request comes from, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ..data_files import load_list
from ..errors import DataError, MissingExtra
from ..geodata.countries import NAME, Countries
from ..geodata.mmdb import Database, age_words
from ..settings import Settings
from ..watched import unreadable
from .document import Flaw
from .kinds import STRICT, found
from .signals import Signals
from .values import FileName, Flag, GeoDatabase, Retention

_SIGNALS = ("risk", "signals")
_NEEDS_GEO = f'needs to know where addresses are: add [geo] with database = "GeoLite2-City.mmdb", or "{NAME}"'


class Geo(BaseModel):
    """Where addresses are."""

    model_config = ConfigDict(
        **STRICT,
        title="Geo",
        json_schema_extra={"anyOf": [{"required": ["database"]}, {"required": ["asn_database"]}]},
    )

    database: GeoDatabase | None = Field(
        default=None,
        description='Any MMDB file, of countries or of cities; or "iptocc", a table of countries that needs no file.',
        examples=["GeoLite2-City.mmdb", "iptocc"],
    )
    asn_database: FileName | None = Field(
        default=None,
        description="An MMDB file for what the first does not know: the number of the autonomous system.",
        examples=["GeoLite2-ASN.mmdb"],
    )
    stale_after: Retention = Field(
        default="90d",
        validate_default=True,
        description="How old a file may be before it is warned of.",
        examples=["90d"],
    )


class Device(BaseModel):
    """What is said of the browser."""

    model_config = ConfigDict(**STRICT, title="Device")

    describe: Flag = Field(default=False, description="Put the browser into words, as origin.client of the line.")


def origin_flaws(geo: Geo | None, asked: bool, signals: Signals | None, folder: Path) -> Iterator[Flaw]:
    """What is wrong with the files, and with signals that ask for what they do not have. ``asked``: there is a [geo];
    it is None where it is not sound."""
    if geo is not None:
        yield from _file_flaws(geo, folder)
    if signals is None:
        return
    yield from _list_flaws(signals, folder)
    if geo is None and asked:
        return
    for name, message in _unmet(geo, signals):
        yield Flaw(path=(*_SIGNALS, *name.split(".")), message=message, at_key="." not in name)


def _file_flaws(geo: Geo, folder: Path) -> Iterator[Flaw]:
    if geo.database is None and geo.asn_database is None:
        yield Flaw(path=("geo",), message=f'names no database; add database = "GeoLite2-City.mmdb", or "{NAME}"')
    for key, name in (("database", geo.database), ("asn_database", geo.asn_database)):
        message = _complaint(name, folder) if name is not None else None
        if message is not None:
            yield Flaw(path=("geo", key), message=message)


def _complaint(name: str, folder: Path) -> str | None:
    """What is wrong with a database, or None."""
    try:
        if name == NAME:
            Countries()
        else:
            Database.look(folder / name)
    except DataError as error:
        return f"found {found(name)}: {error.why}"
    except MissingExtra as error:
        return str(error)
    return None


def _list_flaws(signals: Signals, folder: Path) -> Iterator[Flaw]:
    for index, name in enumerate(signals.address_list.files if signals.address_list is not None else ()):
        try:
            with (folder / name).open("rb") as file:
                load_list(file, folder / name)
        except (DataError, OSError) as error:
            why = error.why if isinstance(error, DataError) else unreadable(error)
            path = (*_SIGNALS, "address_list", "files", index)
            yield Flaw(path=path, message=f"found {found(name)}: {why}")


def _unmet(geo: Geo | None, signals: Signals) -> Iterator[tuple[str, str]]:
    by_asn = signals.new_network is not None and signals.new_network.by == "asn"
    if signals.new_country is not None and (geo is None or geo.database is None):
        yield "new_country", _NEEDS_GEO
    if signals.impossible_travel is not None and (geo is None or geo.database in (None, NAME)):
        yield "impossible_travel", _without(geo, "coordinates", "a database of cities")
    if by_asn and (geo is None or (geo.asn_database is None and geo.database == NAME)):
        yield "new_network.by", _without(geo, "AS numbers", "an asn_database")


def _without(geo: Geo | None, what: str, instead: str) -> str:
    if geo is None or geo.database is None:
        return _NEEDS_GEO.replace(f', or "{NAME}"', "")
    return f"needs {what}, which {found(NAME)} has not: name {instead} under [geo]"


def origin_cautions(settings: Settings, now: float) -> Iterator[Flaw]:
    """What a person should know of databases that can be used: their age, and what they cannot answer."""
    geo = settings.geo
    if geo is None:
        return
    files = {"database": geo.database, "asn_database": geo.asn_database}
    known: set[str] = set()
    for key, path in files.items():
        if not isinstance(path, Path):
            known |= {"country"} if path == NAME else set()
            continue
        try:
            database = Database.look(path)
            known |= database.knows()
        except DataError as error:
            yield Flaw(path=("geo", key), message=error.why)
            return
        words = age_words(database.built, now, geo.stale_after_s)
        if words is not None:
            yield Flaw(path=("geo", key), message=words)
    for spec in settings.risk.signals:
        what = _WANTS.get("asn" if spec.params.get("by") == "asn" else spec.name)
        if what is not None and what not in known:
            message = f"no {_CALLED[what]} in the first networks of the databases under [geo]: it may never hold"
            yield Flaw(path=(*_SIGNALS, spec.name), message=message, at_key=True)


def doubt_cautions(settings: Settings) -> Iterator[Flaw]:
    """Signals that anybody can silence: two forwarding headers that disagree make them fail."""
    if settings.identity.forwarded_header != "both":
        return
    for spec in settings.risk.signals:
        if spec.name in _ASKING and spec.on_failure is not None and spec.on_failure < spec.points:
            message = f"{spec.on_failure} is less than points: a client that sends a header of its own can make it fail"
            yield Flaw(path=(*_SIGNALS, spec.name, "on_failure"), message=message)


_ASKING = ("new_network", "new_country", "impossible_travel", "address_list")
_WANTS = {"new_country": "country", "impossible_travel": "place", "asn": "asn"}
_CALLED = {"country": "country", "place": "coordinates", "asn": "AS number"}
