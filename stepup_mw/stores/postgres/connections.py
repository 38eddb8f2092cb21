"""Steps over connections: one statement, one round trip, one deadline, and every fault a StoreUnavailable."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import MissingExtra, StoreUnavailable
from ..lives import STRIPES, Life
from ..loops import PerLoop
from ..witness import Watch
from .location import Location

if TYPE_CHECKING:
    from .clients import Connection, Cursor

T = TypeVar("T")
Row = tuple[Any, ...]


class Connections:
    """MissingExtra where psycopg is not installed. Connects at the first step, and makes the tables then."""

    def __init__(self, location: Location, watch: Watch) -> None:
        try:
            from psycopg import Error  # noqa: PLC0415 - an extra, and slow to load

            from .clients import Pool, check_options, prepare  # noqa: PLC0415
            from .life import hold  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtra("a postgresql:// store", "psycopg", "postgres") from error
        check_options(location)
        self.location = location
        self._watch = watch
        self._prepare, self._hold = prepare, hold
        self._prepared_in = -1
        self._faults = (Error, OSError, ValueError, LookupError, TypeError)
        self._loops = PerLoop(lambda: Pool(location), lambda pool: pool.close(), timeout_s=location.timeout_s)

    async def one(self, statement: str, *values: object) -> Row | None:
        """The first row, or None."""
        rows = await self.all(statement, *values)
        return rows[0] if rows else None

    async def value(self, statement: str, *values: object) -> Any:
        """The first column of the one row that a step answers."""
        rows = await self.all(statement, *values)
        return rows[0][0]

    async def spend_row(self, statement: str, *values: object) -> Row:
        """The row of a step that may use something up, without its last column: the count that it raised, or NULL."""
        return (await self.spend_rows(statement, *values))[0]

    async def spend_rows(self, statement: str, *values: object) -> list[Row]:
        """As ``spend_row``, for a step that answers several rows, at least one; the last one ends in the count."""
        rows = await self.all(statement, *values)
        if rows[-1][-1] is not None:
            self._spent(rows[-1][-1])
        return [row[:-1] for row in rows]

    async def spend(self, statement: str, *values: object) -> Any:
        """As ``spend_row``, for a step that answers one thing more."""
        return (await self.spend_row(statement, *values))[0]

    async def spent(self, statement: str, *values: object) -> bool:
        """Whether a step that answers the count it raised, or NULL or no row, has changed anything."""
        row = await self.one(statement, *values)
        if row is None or row[0] is None:
            return False
        self._spent(row[0])
        return True

    def _spent(self, raised: int) -> None:
        count, stripe = divmod(raised, STRIPES)
        try:
            self._watch.spent(stripe, count)
        except OSError as error:
            raise StoreUnavailable(f"{self.location}: {error}") from error

    async def loss(self) -> Life:
        """The life, held against what is remembered."""
        return await self._within_time(lambda cursor: self._look(cursor.connection))

    async def _look(self, connection: Connection) -> Life:
        return await self._hold(connection, self.location, self._watch)

    async def all(self, statement: str, *values: object) -> list[Row]:
        """Every row of one statement. ``{s}`` in it stands for the schema. To prepare it at its first use on a
        connection is one round trip more, and none at a later one."""
        text = _text(statement, self.location.schema)

        async def ask(cursor: Cursor) -> list[Row]:
            await cursor.execute(text, values, prepare=True)
            return await cursor.fetchall()

        return await self._within_time(ask)

    async def _within_time(self, ask: Callable[[Cursor], Awaitable[T]]) -> T:
        try:
            return await self._with_connection(ask)
        except self._faults as error:
            raise StoreUnavailable(f"{self.location}: {_reason(error)}") from error

    async def _with_connection(self, ask: Callable[[Cursor], Awaitable[T]]) -> T:
        pool = await self._loops.get()
        cursor: Cursor | None = None

        def hang_up() -> None:  # psycopg would wait for a server that does not answer to take its cancellation back
            if cursor is not None:
                cursor.connection.pgconn.finish()

        with pool.deadlines.begin(hang_up):
            async with pool.turn:
                cursor = pool.idle()
                fresh = cursor is None
                cursor = cursor or await pool.connect()
                try:
                    if fresh:
                        await self._receive(cursor.connection)
                        fresh = False
                    return await ask(cursor)
                finally:
                    pool.give(cursor, known=not fresh)

    async def _receive(self, connection: Connection) -> None:
        """A connection that is new: is there what we need, and is it what it was?"""
        if self._prepared_in != os.getpid():
            await self._prepare(connection, self.location)
            self._prepared_in = os.getpid()
        await self._look(connection)

    async def aclose(self) -> None:
        """Close the connections of every loop of this process. A later step opens new ones."""
        await self._loops.aclose()


@cache
def _text(statement: str, schema: str) -> bytes:
    return statement.replace("{s}", schema).encode()


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no answer in time'}"
