"""Another program's SQLite database, opened for reading alone."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import ImportFailed

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)


def locate(text: str) -> Path:
    """The file of ``sqlite:///path`` or of a plain path. ImportFailed for another kind of database."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return Path(text)
    if not text.startswith("sqlite:///"):
        raise ImportFailed(f"{scheme[1]}:// is not read here; only SQLite is. Export user,secret,label to a CSV file")
    return Path(text.removeprefix("sqlite:///"))


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write. ImportFailed where the file is missing or no database."""
    if not path.is_file():
        raise ImportFailed(f"{path}: there is no such file")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            yield database
    except sqlite3.Error as error:
        raise ImportFailed(f"{path}: {error}") from None


def named(name: str) -> str:
    """A table or column name, quoted. ImportFailed for what is none."""
    if not _NAME.fullmatch(name):
        raise ImportFailed("a table or column name has letters, digits and underscores only")
    return f'"{name}"'


def columns(database: sqlite3.Connection, table: str) -> set[str]:
    """The names of a table's columns; none where there is no such table."""
    return {str(row["name"]) for row in database.execute(f"PRAGMA table_info({named(table)})")}


def as_text(value: Any) -> str:
    """A cell as text, "" for none."""
    return "" if value is None else str(value)
