"""Steps over connections: one statement, one round trip, one deadline, and every fault a StoreUnavailable."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from ...errors import MissingExtra, StoreUnavailable
from ..loops import Deadline, PerLoop
from .location import Location

Row = tuple[Any, ...]


class Connections:
    """MissingExtra where psycopg is not installed. Connects at the first step, and makes the tables then."""

    def __init__(self, location: Location) -> None:
        try:
            from psycopg import Error  # noqa: PLC0415 - an extra, and slow to load

            from .clients import Pool, check_options, prepare  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtra("a postgresql:// store", "psycopg", "postgres") from error
        check_options(location)
        self.location = location
        self._prepare = prepare
        self._prepared_in = -1
        self._faults = (Error, OSError, ValueError, LookupError, TypeError)
        self._loops = PerLoop(lambda: Pool(location), lambda pool: pool.close(), timeout_s=location.timeout_s)

    async def all(self, statement: str, *values: object) -> list[Row]:
        """Every row of one statement. ``{s}`` in it stands for the schema."""
        text = _text(statement, self.location.schema)
        try:
            return await self._ask(text, values)
        except self._faults as error:
            raise StoreUnavailable(f"{self.location}: {_reason(error)}") from error

    async def one(self, statement: str, *values: object) -> Row | None:
        """The first row, or None."""
        rows = await self.all(statement, *values)
        return rows[0] if rows else None

    async def value(self, statement: str, *values: object) -> Any:
        """The first column of the one row that a step answers."""
        rows = await self.all(statement, *values)
        return rows[0][0]

    async def _ask(self, text: bytes, values: Sequence[object]) -> list[Row]:
        clock = asyncio.get_running_loop().time
        end = clock() + self.location.timeout_s
        pool = await self._loops.get()
        with Deadline(self.location.timeout_s):
            await pool.turn.acquire()
            try:
                connection = pool.idle() or await pool.connect()
            except BaseException:
                pool.turn.release()
                raise
        try:
            # psycopg would wait for a server that does not answer to take its cancellation back: hang up first
            with Deadline(end - clock(), connection.pgconn.finish):
                if self._prepared_in != os.getpid():
                    await self._prepare(connection, self.location)
                    self._prepared_in = os.getpid()
                return await (await connection.execute(text, values)).fetchall()
        finally:
            pool.give(connection)
            pool.turn.release()

    async def aclose(self) -> None:
        """Close the connections of every loop of this process. A later step opens new ones."""
        await self._loops.aclose()


@cache
def _text(statement: str, schema: str) -> bytes:
    return statement.replace("{s}", schema).encode()


def _reason(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no answer in time'}"
