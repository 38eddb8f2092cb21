"""What a store's steps are measured beside: the bare client of the same server, over one connection, as it comes.

The commands of a store like it are heard while that works; the bare client then sends the very same ones, with the same
arguments, to a database of its own of the same server that was filled alike. So whatever the server does is on both
sides, and what is left is what the store adds: keys, records, deadlines, faults. Beside that stands the plainest round
trip there is: one value read, one value changed as durably.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

Step = Callable[[], Awaitable[Any]]
Command = tuple[Any, ...]
Heard = list[Command]


class Bare(NamedTuple):
    """``client``: which, as ``heard`` knows it. ``send``: one command that was heard. ``read``, ``write``: the
    plainest. Where they would stop the event loop: ``hand_over``, several commands in a thread; ``at_once``, several
    in place, with nothing between them."""

    client: str
    send: Callable[[Command], Awaitable[Any]]
    read: Step
    write: Step
    close: Step
    hand_over: Callable[[Heard], Awaitable[Any]] | None = None
    at_once: Callable[[Heard], object] | None = None


async def redis(port: int) -> Bare:
    """Its second database. GET and HSET."""
    client = Redis(port=port, db=1, protocol=2)
    ask: Callable[..., Awaitable[Any]] = client.execute_command
    await client.set("raw-value", "1")
    return Bare(
        client="redis",
        send=lambda words: ask(*words),
        read=lambda: ask("GET", "raw-value"),
        write=lambda: ask("HSET", "raw", "field", "1"),
        close=client.aclose,
    )


async def postgres(url: str) -> Bare:
    """One row by its key; an UPDATE of it, committed."""
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    await connection.execute("CREATE TABLE raw (who bytea PRIMARY KEY, number bigint)")
    await connection.execute("INSERT INTO raw VALUES ('bob', 0)")

    async def ask(query: bytes, values: Sequence[object]) -> object:
        return await (await connection.execute(query, values)).fetchall()

    return Bare(
        client="postgres",
        send=lambda words: ask(words[0], words[1]),
        read=lambda: ask(b"SELECT number FROM raw WHERE who = %s", (b"bob",)),
        write=lambda: ask(b"UPDATE raw SET number = number + 1 WHERE who = %s RETURNING number", (b"bob",)),
        close=connection.close,
    )


async def another_database(url: str, name: str) -> str:
    """Made on the server of ``url``; its own URL."""
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    await connection.execute(f"CREATE DATABASE {name}".encode())
    await connection.close()
    return f"{url.rpartition('/')[0]}/{name}"


async def sqlite(path: Path) -> Bare:
    """A second file. One row by its key; one row changed and synced. On the calling thread, or all commands of a step
    handed to one other thread and back, as asyncio does it."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    thread = ThreadPoolExecutor(1)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE raw (who TEXT PRIMARY KEY, number INTEGER)")
    db.execute("INSERT INTO raw VALUES ('bob', 0)")

    async def ask(words: Command) -> object:
        return db.execute(*words).fetchall()

    def ask_all(commands: Heard) -> None:
        for words in commands:
            db.execute(*words).fetchall()

    async def close() -> None:
        thread.shutdown()
        db.close()

    return Bare(
        client="sqlite",
        send=ask,
        read=lambda: ask(("SELECT number FROM raw WHERE who = ?", ("bob",))),
        write=lambda: ask(("UPDATE raw SET number = number + 1 WHERE who = ?", ("bob",))),
        close=close,
        hand_over=lambda commands: asyncio.get_running_loop().run_in_executor(thread, ask_all, commands),
        at_once=ask_all,
    )


class AudibleCursor(sqlite3.Cursor):
    """One whose statements can be heard: those of C cannot."""


class Audible(sqlite3.Connection):
    """A connection of which all are."""

    def cursor(self, factory: Any = AudibleCursor) -> Any:
        return super().cursor(factory)

    def execute(self, *words: Any) -> Any:
        return self.cursor().execute(*words)


@contextmanager
def audible_sqlite() -> Iterator[None]:
    """Every connection that is opened meanwhile is."""
    connect = sqlite3.connect
    sqlite3.connect = partial(connect, factory=Audible)  # type: ignore[assignment]
    try:
        yield
    finally:
        sqlite3.connect = connect


_SENDS: dict[str, tuple[type, str]] = {
    "redis": (AbstractConnection, "send_command"),
    "postgres": (psycopg.AsyncCursor, "execute"),
    "sqlite": (AudibleCursor, "execute"),
}


@contextmanager
def heard(client: str) -> Iterator[Heard]:
    """Every command that is sent meanwhile by any client of this kind in this process; nothing of an unknown one."""
    commands: Heard = []
    if client not in _SENDS:
        yield commands
        return
    owner, name = _SENDS[client]
    send = getattr(owner, name)

    def hear(this: Any, *words: Any, **options: Any) -> Any:
        commands.append(words)
        return send(this, *words, **options)

    setattr(owner, name, hear)
    try:
        yield commands
    finally:
        setattr(owner, name, send)
