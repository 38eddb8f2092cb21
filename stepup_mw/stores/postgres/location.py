"""The URLs of PostgreSQL. Pure: text in, values out; loads no client.

    postgresql://[user[:password]@]host[:5432][,host…]/database[?options]

as libpq reads it (https://www.postgresql.org/docs/current/libpq-connect.html), so that ``sslmode``, ``passfile``,
``target_session_attrs=read-write`` and the PG… variables of the environment work. ``postgres://`` is the same.
Three options are ours:

    timeout=1          seconds for one step, all in all, 0.1 to 10
    schema=stepup      where the tables are: one for each service that shares a database
    connections=8      at most so many connections a process and event loop, 1 to 64
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ...errors import Unsupported

SCHEMES = ("postgresql", "postgres")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,47}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?", re.ASCII)
_OURS = ("timeout", "schema", "connections")


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """``conninfo``: what libpq is given; it may hold a password. ``timeout_s``: for one step, all in all."""

    conninfo: str = field(repr=False)
    shown: str
    timeout_s: float = 1.0
    schema: str = "stepup"
    connections: int = 8

    def __str__(self) -> str:
        """For messages: without user and password."""
        return f"postgresql at {self.shown}"


def parse_location(url: str) -> Location:
    """Unsupported says what is wrong, and never shows the URL: it may carry a password."""
    try:
        parts = urlsplit(url)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise Unsupported("not a URL, or options that are not name=value") from None
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
        raise Unsupported("allowed is postgresql://[user[:password]@]host[:port]/database")
    if parts.fragment or any(ord(letter) < 0x21 or ord(letter) == 0x7F for letter in url):
        raise Unsupported("a # or a blank stands in the URL; write %23 or %20")
    if not parts.path.strip("/"):
        raise Unsupported("the database is missing: postgresql://host/database")
    rest = urlencode([(name, text) for name, text in options if name not in _OURS])
    ours = {name: text for name, text in options if name in _OURS}
    return Location(
        conninfo=urlunsplit(("postgresql", parts.netloc, parts.path, rest, "")),
        shown=parts.netloc.rpartition("@")[2] or "its socket",
        timeout_s=_seconds(ours.get("timeout", "1")),
        schema=_schema(ours.get("schema", "stepup")),
        connections=_connections(ours.get("connections", "8")),
    )


def _seconds(text: str) -> float:
    if not _SECONDS.fullmatch(text) or not 0.1 <= float(text) <= 10:
        raise Unsupported("timeout is a number of seconds from 0.1 to 10")
    return float(text)


def _schema(text: str) -> str:
    if not _SCHEMA.fullmatch(text) or text.startswith("pg_"):
        raise Unsupported("schema is 1 to 48 lower-case letters, digits or underscores, and begins with no digit")
    return text


def _connections(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= number <= 64:
        raise Unsupported("connections is a whole number from 1 to 64")
    return number
