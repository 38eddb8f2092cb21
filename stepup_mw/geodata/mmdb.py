"""Databases in the MMDB format, of any vendor: opened, told apart, and asked where an address is.

Works on a copy of the file. The reader maps its file into memory: one that is written over in place would take the
process with it (SIGBUS), and one half written would answer anything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from ..encoding import format_instant, safe_text
from ..errors import DataError, MissingExtra
from ..geo import UNKNOWN, Geo, read_record
from ..watched import digest_of, unreadable
from .tree import SearchTree

_CACHED = 8192
_LATEST = 253_402_300_799.0
"""The last second of the year 9999."""
_SAMPLE = 2000
"""Networks looked at to tell what a database knows."""


class Database:
    """One open database; ``facts`` say which. ``stale_after_s``: how old it may be before it is complained of."""

    def __init__(
        self, reader: Any, tree: SearchTree, path: Path, *, sha256: str = "", stale_after_s: int | None = None
    ) -> None:
        meta = reader.metadata()
        self._reader = reader
        self._path = path
        self._tree = tree
        self._known: dict[int, Geo] = {}
        self._ipv4_only = meta.ip_version == 4
        self._stale_after_s = stale_after_s
        self.built = float(meta.build_epoch)
        self.facts: Mapping[str, Any] = {
            "type": safe_text(str(meta.database_type), 80),
            "built": format_instant(min(self.built, _LATEST)),
            "sha256": sha256,
        }

    @classmethod
    def load(cls, file: BinaryIO, path: Path, *, stale_after_s: int | None = None) -> Database:
        """From a copy of the file, in the folder for temporary files until it is mapped."""
        with tempfile.NamedTemporaryFile(prefix="stepup-geo-", suffix=".mmdb") as copy:
            sha256 = digest_of(file, copy).removeprefix("sha256:")
            copy.flush()
            reader = _open(copy.name, path)
            return cls(reader, _tree_of(copy, reader, path), path, sha256=sha256, stale_after_s=stale_after_s)

    @classmethod
    def look(cls, path: Path) -> Database:
        """The file itself, for a look and no longer."""
        reader = _open(str(path), path)
        with path.open("rb") as file:
            return cls(reader, _tree_of(file, reader, path), path)

    def complaint(self, now: float) -> str | None:
        """What there is to say of its age."""
        return None if self._stale_after_s is None else age_words(self.built, now, self._stale_after_s)

    def locate(self, ip: str) -> Geo:
        """What the file says of an address. DataError where it is broken there."""
        if self._ipv4_only and ":" in ip:
            return UNKNOWN
        leaf = self._tree.leaf(ip)
        known = self._known.get(leaf)
        return known if known is not None else self._keep(leaf, self._read(ip))

    def _read(self, ip: str) -> Geo:
        try:
            return read_record(self._reader.get(ip))
        except Exception as error:  # a broken file may raise anything; what is not known must not be guessed
            raise DataError(self._path, f"cannot be asked: {type(error).__name__}") from error

    def _keep(self, leaf: int, found: Geo) -> Geo:
        """A record that was read, found again by where the tree leads to it."""
        if len(self._known) >= _CACHED:
            self._known = {}
        self._known[leaf] = found
        return found

    def knows(self) -> frozenset[str]:
        """Which of ``country``, ``place`` and ``asn`` the first networks of the file have."""
        known: set[str] = set()
        try:
            for _, record in islice(self._reader, _SAMPLE):
                geo = read_record(record)
                known |= {name for name, value in (("country", geo.country), ("place", geo.spot)) if value}
                known |= {"asn"} if geo.asn is not None else set()
        except Exception as error:  # as above
            raise DataError(self._path, f"cannot be read: {type(error).__name__}") from error
        return frozenset(known)


def age_words(built: float, now: float, stale_after_s: int) -> str | None:
    """What there is to say of a database that was built then; None while it is young enough."""
    days = int((now - built) // 86_400)
    if now - built <= stale_after_s:
        return None
    return f"built on {format_instant(built)[:10]}, {days} days ago; addresses move, get a newer one"


def _open(name: str, path: Path) -> Any:
    try:
        import maxminddb  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra("[geo] database", "maxminddb", "geo") from error
    try:
        return maxminddb.open_database(name)
    except OSError as error:
        raise DataError(path, unreadable(error)) from error
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise DataError(path, "not an MMDB file, or a broken one") from error


def _tree_of(file: Any, reader: Any, path: Path) -> SearchTree:
    meta = reader.metadata()
    try:
        return SearchTree(file, nodes=meta.node_count, record_bits=meta.record_size, ip_version=meta.ip_version)
    except ValueError as error:
        raise DataError(path, "not an MMDB file, or a broken one") from error
