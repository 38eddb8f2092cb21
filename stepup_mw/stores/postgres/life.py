"""The life of a database's state, held against what is remembered of it (see ``stores.lives``).

Asked on every new connection before it is used, for a server that was put back was away meanwhile, and once a second.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from ..lives import LAST_GUESS, STRIPES, Found, Life, begin_anew, judge, no_code_before
from ..removals import mark_of
from ..witness import Watch
from .clients import Connection
from .location import Location

_LIFE = """SELECT name, before, lost_at, found, ARRAY(SELECT number FROM {s}.spent ORDER BY stripe) FROM {s}.life"""
_END = "SELECT {s}.end_life(%s, %s, %s, %s, %s, %s::bigint[], %s, %s)"
_FORGET = "DELETE FROM {s}.challenge"
_FACTORS = "SELECT who, factor_id FROM {s}.factor"
_REMOVE = "SELECT {s}.remove_factor(%s, %s)"


async def hold(connection: Connection, location: Location, watch: Watch) -> Life:
    """The life as it is after this look: a loss is found out, and ends it. Tables that lost it are an empty store."""
    known = watch.known()
    life = await _read(connection, location)
    found = judge(known, life) or ("empty" if life is None else None)
    if found is not None:
        now = watch.clock()
        async with connection.transaction():
            await _end(connection, location, life, begin_anew(known, life, found, now=now), now)
            await _take_away_again(connection, location, watch)
        life = await _read(connection, location)
    elif known is not None and life is not None and life.name != known.name:  # another host found it out
        await _take_away_again(connection, location, watch)
    if life is None:
        raise ValueError("the state has no life")
    watch.keep(known, life)
    return life


async def _read(connection: Connection, location: Location) -> Life | None:
    row = await (await connection.execute(_text(_LIFE, location))).fetchone()
    return _to_life(row) if row is not None else None


async def _take_away_again(connection: Connection, location: Location, watch: Watch) -> None:
    marks = watch.removals.read()
    rows = await (await connection.execute(_text(_FACTORS, location))).fetchall() if marks else []
    for who, factor_id in rows:
        if mark_of(who.decode(), factor_id.decode()) in marks:
            await connection.execute(_text(_REMOVE, location), (who, factor_id))


async def _end(connection: Connection, location: Location, ended: Life | None, new: Life, now: float) -> None:
    values: tuple[Any, ...] = (ended and ended.name, new.name, " ".join(new.before), new.lost_at, new.found)
    words = (*values, list(new.spent), no_code_before(now), LAST_GUESS)
    done = await (await connection.execute(_text(_END, location), words)).fetchone()
    if done == (True,):
        await connection.execute(_text(_FORGET, location))


def _text(statement: str, location: Location) -> sql.Composed:
    return sql.SQL(statement.replace("{s}", "{}")).format(*[sql.Identifier(location.schema)] * statement.count("{s}"))


def _to_life(row: tuple[Any, ...]) -> Life:
    name, before, lost_at, found, counts = row
    return Life(
        name=name,
        before=tuple(before.split()),
        lost_at=lost_at,
        found=_found(found),
        spent=(*counts, *[0] * STRIPES)[:STRIPES],
    )


def _found(text: str) -> Found | None:
    return text or None  # type: ignore[return-value]  # written from a Found
