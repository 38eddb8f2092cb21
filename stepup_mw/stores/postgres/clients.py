"""Connections of psycopg, as this store wants them, and the tables.

The one module that imports psycopg; it is loaded only when a store is opened at a URL of its kind.
"""

from __future__ import annotations

import asyncio
import select
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection, AsyncCursor, pq, sql
from psycopg.conninfo import conninfo_to_dict

from ...errors import StoreUnavailable, Unsupported
from ..loops import Deadlines
from .location import Location

Connection = AsyncConnection[tuple[Any, ...]]
Cursor = AsyncCursor[tuple[Any, ...]]

VERSION = 4
_LOCK = 0x57E9_0001
"""The advisory lock under which tables are made: one number for all."""


def check_options(location: Location) -> None:
    """Unsupported: an option that libpq does not know."""
    try:
        conninfo_to_dict(location.conninfo)
    except psycopg.Error:
        raise Unsupported("postgresql:// has a part or an option that libpq does not know") from None


class Pool:
    """The connections of one event loop. psycopg's own pool works through tasks that outlive the cancellation with
    which a loop ends, and so would hold up the end of the process; this one has none. ``turn``: to be held by who
    takes a connection."""

    def __init__(self, location: Location) -> None:
        self.turn = asyncio.Semaphore(location.connections)
        self.deadlines = Deadlines(location.timeout_s)
        self._idle: list[Cursor] = []
        self._conninfo = location.conninfo
        known = conninfo_to_dict(location.conninfo)
        limits = (
            f"-c statement_timeout={int(location.timeout_s * 900)} -c lock_timeout={int(location.timeout_s * 500)} "
            "-c default_transaction_isolation=read\\ committed"
        )
        self._options: dict[str, Any] = {
            "autocommit": True,
            "application_name": "stepup-mw",
            "connect_timeout": max(int(location.timeout_s), 2),  # libpq takes whole seconds, and no fewer
            "options": f"{known.get('options') or ''} {limits}".strip(),
        }

    def idle(self) -> Cursor | None:
        """Over a connection that is open and not in use, if there is one."""
        while self._idle:
            cursor = self._idle.pop()
            if _still_there(cursor.connection):
                return cursor
            hang_up(cursor)
        return None

    async def connect(self) -> Cursor:
        connection = await AsyncConnection.connect(self._conninfo, **self._options)
        return connection.cursor(binary=True)

    def give(self, cursor: Cursor, *, known: bool) -> None:
        """Back, to be idle; one that is in the middle of something, or leads nobody knows where, is closed."""
        if known and cursor.connection.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self._idle.append(cursor)
        else:
            hang_up(cursor)

    async def close(self) -> None:
        while self._idle:
            hang_up(self._idle.pop())


def hang_up(cursor: Cursor) -> None:
    """Close without waiting for the server."""
    cursor.connection.pgconn.finish()


def _still_there(connection: Connection) -> bool:
    """Without a question to the server: one that says something on an idle connection says good-bye, as a rule."""
    if connection.closed:
        return False
    idle = select.poll()
    idle.register(connection.fileno(), select.POLLIN)
    return not idle.poll(0)


async def prepare(connection: Connection, location: Location) -> None:
    """Make the tables where they are missing, or bring older ones up, in one transaction; several processes may do so
    at once.

    StoreUnavailable: tables of a newer version, or of another program.
    """
    found = await _version(connection, location)
    if found is None or found < VERSION:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            name = sql.Identifier(location.schema)
            await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
            found = await _version(connection, location)
            if found is None or found < VERSION:
                for part in ("schema", "kept", "codes"):
                    await connection.execute(await asyncio.to_thread(_tables, location.schema, part))
            found = await _version(connection, location)
    if found != VERSION:
        raise StoreUnavailable(f"{location}: its tables are of version {found}; this one knows {VERSION}")


async def _version(connection: Connection, location: Location) -> int | None:
    """None where there are no tables of ours."""
    there = sql.SQL("SELECT to_regclass({})").format(sql.Literal(f"{location.schema}.about"))
    if (await (await connection.execute(there)).fetchone()) == (None,):
        return None
    ask = sql.SQL("SELECT version FROM {}.about").format(sql.Identifier(location.schema))
    row = await (await connection.execute(ask)).fetchone()
    return row[0] if row else 0


def _tables(schema: str, part: str) -> bytes:
    text = (Path(__file__).parent / "sql" / f"{part}.sql").read_text(encoding="utf-8")
    return text.replace("{schema}", schema).encode()
