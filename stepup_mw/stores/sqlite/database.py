"""The database file of a process: its connections, its faults, and what happens to both at a fork.

Two connections a process, each under its own lock. Reads run on the calling thread: they wait for no writer
(write-ahead log) and take microseconds. Writes run in a thread (``turns``), one at a time and whole: ``BEGIN
IMMEDIATE``, the step, the sync. Every fault is a StoreUnavailable and leaves nothing changed.

A database file that was removed or replaced is refused until it is back or the process starts again: going on
with the old file, or with an older copy, would allow what was taken already.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from ...errors import StoreUnavailable
from . import forks
from .groups import Group
from .life import Lives
from .schema import check_version, connect, identify, prepare
from .transaction import PATIENCE, is_busy, transact
from .turns import Turns

P = ParamSpec("P")
T = TypeVar("T")
Row = tuple[Any, ...]

_READ_WAIT_S = 0.1
"""A read meets a lock only while a log is being recovered after a crash; it holds up the event loop meanwhile."""

_LOOK_EVERY_S = 0.25
"""How often a read looks whether the file is still there. A write always looks."""

_FAULTS = (sqlite3.Error, OSError, OverflowError, TypeError, ValueError)
"""What SQLite raises, and what damaged rows and text that is no Unicode lead to."""

_inherited: list[_Handles] = []


class _Handles:
    """What one process holds open."""

    __slots__ = ("cursor", "looked_at", "pid", "reader", "reading", "turns", "writer", "writing")

    def __init__(self, wait_s: float) -> None:
        self.pid = os.getpid()
        self.reading = threading.Lock()
        self.writing = threading.Lock()
        self.reader: sqlite3.Connection | None = None
        self.cursor: sqlite3.Cursor | None = None
        self.writer: sqlite3.Connection | None = None
        self.looked_at = 0.0
        self.turns = Turns(wait_s)

    def close(self) -> None:
        """To be called with both locks held."""
        for db in filter(None, (self.reader, self.writer)):
            db.close()
        self.reader = self.cursor = self.writer = None
        self.turns.end()


class Database:
    """One file. ``wait_s``: how long a write waits, for its turn in this process and then for other processes."""

    def __init__(self, path: Path, lives: Callable[[str], Lives], *, wait_s: float) -> None:
        self._path = str(path.absolute())
        self._wait_s = wait_s
        self.lives = lives(self._path)
        try:
            self._identity = prepare(self._path, wait_s=wait_s, lives=self.lives)
        except _FAULTS as error:
            raise self._unavailable(error) from error
        self._handles = _Handles(self._wait_s)
        forks.watch(self)

    # Reading

    def one(self, read: Callable[[Row], T], sql: str, *values: object) -> T | None:
        """The first row as ``read`` makes it, or None."""
        handles = self._own()
        with handles.reading:
            try:
                row: Row | None = self._reader(handles).execute(sql, values).fetchone()
                return None if row is None else read(row)
            except _FAULTS as error:
                raise self._lost_reader(handles, error) from error

    def all(self, read: Callable[[Row], T], sql: str, *values: object) -> tuple[T, ...]:
        """Every row as ``read`` makes it."""
        handles = self._own()
        with handles.reading:
            try:
                return tuple(map(read, self._reader(handles).execute(sql, values).fetchall()))
            except _FAULTS as error:
                raise self._lost_reader(handles, error) from error

    def _reader(self, handles: _Handles) -> sqlite3.Cursor:
        """One cursor for all reads: to make one takes a tenth of the time of a read."""
        now = time.monotonic()
        if now - handles.looked_at > _LOOK_EVERY_S:
            self._look()
            handles.looked_at = now
        if handles.reader is None or handles.cursor is None:
            handles.reader = self._open(_READ_WAIT_S, "query_only = ON")
            handles.cursor = handles.reader.cursor()
        return handles.cursor

    def _lost_reader(self, handles: _Handles, error: Exception) -> StoreUnavailable:
        handles.looked_at = 0.0
        if handles.reader is not None and not is_busy(error):
            handles.reader.close()
            handles.reader = handles.cursor = None
        return self._unavailable(error)

    # Writing

    async def write(
        self, step: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``step(db, ...)`` whole or not at all, after those that were asked for before it; on stable storage when
        this returns.

        A step that has begun runs to its end even if the caller is cancelled. It may be taken back and run again, so
        it changes nothing but the database.
        """

        handles = self._own()

        def run(db: sqlite3.Connection) -> T:
            return step(db, *args, **kwargs)

        try:
            return await handles.turns.take(run, partial(self._write, handles))
        except TimeoutError as error:
            raise StoreUnavailable(f"{self._path}: too many writes are waiting") from error
        except _FAULTS as error:
            raise self._unavailable(error) from error

    def _write(self, handles: _Handles, group: Group) -> None:
        if not handles.writing.acquire(timeout=self._wait_s):
            raise StoreUnavailable(f"{self._path}: a write takes too long")
        try:
            self._transact(handles, group)
        finally:
            handles.writing.release()

    def _transact(self, handles: _Handles, group: Group) -> None:
        try:
            life = self._commit(handles, group)
        except BaseException as error:
            if len(group.turns) == 1:
                raise
            group.fail(error)
            # Nothing of it stands. A full disk or a damaged page may be in the way of one step and not of the next.
            for turn in group.turns:
                if time.monotonic() < turn.due:
                    Group(turn).run(partial(self._transact, handles))
        else:
            self.lives.note(life)

    def _commit(self, handles: _Handles, group: Group) -> Row:
        try:
            if handles.writer is None:
                handles.writer = self._open(self._wait_s, "synchronous = FULL", PATIENCE)
            return transact(handles.writer, group, wait_s=self._wait_s, look=self._look)
        except _FAULTS as error:
            if handles.writer is not None and not is_busy(error):
                handles.writer.close()
                handles.writer = None
            raise

    # The file

    def _open(self, wait_s: float, *pragmas: str) -> sqlite3.Connection:
        self._look()
        db = connect(self._path, wait_s=wait_s)
        try:
            self._look()
            check_version(db)
            for pragma in pragmas:
                db.execute(f"PRAGMA {pragma}")
        except BaseException:
            db.close()
            raise
        return db

    def _look(self) -> None:
        if identify(self._path) != self._identity:
            raise StoreUnavailable(f"{self._path} was replaced by another file: start again to use that one")

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"{self._path}: {error}")

    # The process

    def close(self) -> None:
        """Give the connections back; a later call opens them again."""
        self.pause()
        self.resume()

    def pause(self) -> None:
        """Wait for what runs, close, and hold off the rest until ``resume``: no connection may cross a fork."""
        handles = self._own()
        handles.writing.acquire()
        handles.reading.acquire()
        handles.close()

    def resume(self) -> None:
        self._handles.reading.release()
        self._handles.writing.release()

    def start_again(self) -> None:
        """In a forked child, whose locks are held by threads it does not have."""
        self._handles = _Handles(self._wait_s)

    def _own(self) -> _Handles:
        handles = self._handles
        if handles.pid == os.getpid():
            return handles
        # A fork that ran no hooks. The connections are the parent's: to use or close them here would end its locks
        # (https://www.sqlite.org/howtocorrupt.html, 2.6), so they are kept and left alone.
        _inherited.append(handles)
        self._handles = _Handles(self._wait_s)
        return self._handles
