"""The data that a configuration names, opened: where addresses are, lists of them, and browsers in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from .address_list import AddressList, parse_networks
from .errors import ConfigError, ConfigProblem, DataError
from .gate.sources import Sources
from .geo import Geo
from .geodata import GeoData
from .geodata.countries import NAME, Countries
from .geodata.mmdb import Database
from .settings import GeoSettings, Settings
from .watched import Watched, digest_of

MAX_LIST = 64 << 20
"""Bytes of a list of addresses."""


def open_sources(settings: Settings) -> Sources:
    """ConfigError where a file is not there or broken; MissingExtra where a package is not installed."""
    geo, databases = _open_geo(settings.geo) if settings.geo is not None else (None, [])
    spec = next((spec for spec in settings.risk.signals if spec.name == "address_list"), None)
    lists = [_watch("risk.signals.address_list", path, load_list) for path in spec.params["files"]] if spec else []
    return Sources(geo=geo, describe=_describe(settings), lists=lists, watched=[*databases, *lists])


def _open_geo(settings: GeoSettings) -> tuple[GeoData, list[Watched[Any]]]:
    sources: list[Callable[[], Callable[[str], Geo]]] = []
    watched: list[Watched[Database]] = []
    for key, path in (("geo.database", settings.database), ("geo.asn_database", settings.asn_database)):
        if isinstance(path, Path):
            load: Callable[[BinaryIO, Path], Database] = partial(Database.load, stale_after_s=settings.stale_after_s)
            file = _watch(key, path, load)
            watched.append(file)
            sources.append(partial(_locate_in, file))
        elif path == NAME:
            sources.append(partial(getattr, Countries(), "locate"))
    return GeoData(sources), list(watched)


def _locate_in(file: Watched[Database]) -> Callable[[str], Geo]:
    return file.value.locate


def _watch(key: str, path: Path, load: Callable[[BinaryIO, Path], Any]) -> Watched[Any]:
    try:
        return Watched(key, path, load)
    except DataError as error:
        raise ConfigError((ConfigProblem(source="configuration", key=key, message=str(error)),)) from error


def load_list(file: BinaryIO, path: Path) -> AddressList:
    """DataError names the line at fault."""
    data = file.read(MAX_LIST + 1)
    if len(data) > MAX_LIST:
        raise DataError(path, f"larger than {MAX_LIST >> 20} MiB: this is no list of addresses")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(path, "not text in UTF-8") from None
    file.seek(0)
    return AddressList(parse_networks(text, str(path)), digest_of(file).removeprefix("sha256:"))


def _describe(settings: Settings) -> Callable[[str], str | None] | None:
    if not settings.device.describe:
        return None
    from .agents import make_describe  # noqa: PLC0415 - an extra

    return make_describe()
