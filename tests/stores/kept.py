"""Stores that a test can copy, put back and empty as an operator does: files and servers, no client of ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg

from stepup_mw.state import Store
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.sqlite import SqliteStore

from ..servers import PostgresServer, RedisServer

NOW = 1_795_418_700.0


class Kept(Protocol):
    """``copy`` takes a copy; ``put_back`` puts it in the place of what is there; ``restart`` changes nothing kept."""

    folder: Path
    now: float

    def open(self, host: str = "web-1") -> Store: ...

    def copy(self) -> None: ...

    def put_back(self) -> None: ...

    def empty(self) -> None: ...

    def restart(self) -> None: ...


def _witness(folder: Path, host: str) -> Path:
    return folder / host / "audit" / ".stepup.store"


class KeptFile:
    now = NOW

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "state" / "state.db"

    def open(self, host: str = "web-1") -> Store:
        return SqliteStore(self.path, witness=_witness(self.folder, host), clock=lambda: NOW)

    def copy(self) -> None:
        """With its log: what SQLite's own documents call a backup of a file nobody writes."""
        for suffix in ("", "-wal"):
            source = Path(f"{self.path}{suffix}")
            if source.exists():
                shutil.copyfile(source, self.folder / f"copy{suffix}")

    def put_back(self) -> None:
        self.empty()
        for suffix in ("", "-wal"):
            source = self.folder / f"copy{suffix}"
            if source.exists():
                shutil.copyfile(source, f"{self.path}{suffix}")

    def empty(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def restart(self) -> None:
        """There is nothing that runs."""


class KeptRedis:
    now = NOW

    def __init__(self, folder: Path, server: RedisServer) -> None:
        self.folder = folder
        self.server = server
        assert server.ask("FLUSHALL") == "+OK"

    def open(self, host: str = "web-1") -> Store:
        url = self.server.url("?timeout=5")
        return RedisStore(url, witness=_witness(self.folder, host), clock=lambda: NOW)

    def _while_down(self, act: Callable[[], None]) -> None:
        self.server.kill()
        act()
        self.server.start()

    def copy(self) -> None:
        self._while_down(lambda: _exchange(self.server.folder, self.folder / "copy"))

    def put_back(self) -> None:
        self._while_down(lambda: _exchange(self.folder / "copy", self.server.folder))

    def empty(self) -> None:
        """While it runs: no connection is lost by it."""
        assert self.server.ask("FLUSHALL") == "+OK"

    def restart(self) -> None:
        self._while_down(lambda: None)


def _exchange(source: Path, target: Path) -> None:
    """The append-only files of a Redis, and nothing else, from one folder to another."""
    target.mkdir(exist_ok=True)
    for old in target.glob("appendonly*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for found in source.glob("appendonly*"):
        if found.is_dir():
            shutil.copytree(found, target / found.name)
        else:
            shutil.copyfile(found, target / found.name)


class KeptPostgres:
    now = NOW

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder = folder
        self.server = server
        self._admin("DROP SCHEMA IF EXISTS stepup CASCADE")

    def _admin(self, statement: str) -> None:
        with psycopg.connect(self.server.url(), autocommit=True) as db:
            db.execute(statement.encode())

    def open(self, host: str = "web-1") -> Store:
        url = self.server.url("?timeout=5")
        return PostgresStore(url, witness=_witness(self.folder, host), clock=lambda: NOW)

    def copy(self) -> None:
        """Of a server that was killed: its next start recovers from its log, as from a base backup."""
        self.server.kill()
        subprocess.run(["cp", "-a", self.server.folder / "data", self.folder / "copy"], check=True)
        self.server.start()

    def put_back(self) -> None:
        self.server.kill()
        shutil.rmtree(self.server.folder / "data")
        subprocess.run(["cp", "-a", self.folder / "copy", self.server.folder / "data"], check=True)
        self.server.start()

    def empty(self) -> None:
        self._admin("TRUNCATE " + ", ".join(f"stepup.{name}" for name in TABLES))

    def restart(self) -> None:
        self.server.kill()
        self.server.start()


TABLES = ("account", "challenge", "epoch", "factor", "granted", "life", "moment", "recovery", "sighting", "spent")
