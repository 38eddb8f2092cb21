"""What an operator can do to the state of one world, beside the service: copy it, put the copy back, empty it, cut the
connections to it. On a shared server it touches that world's own keys or tables and nobody else's."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql
from redis import Redis

from ..servers import SERVERS, shared_url


class Backup(Protocol):
    def copy(self) -> None: ...

    def put_back(self) -> None: ...

    def empty(self) -> None: ...

    def cut(self) -> None: ...


def _own(folder: Path) -> str:
    return sha256(str(folder).encode()).hexdigest()[:16]


def url_of(kind: str, folder: Path) -> str:
    """The store of a world; ``kind`` as in world.StoreKind."""
    if kind == "memory":
        return "memory://"
    if kind == "sqlite":
        return f"sqlite:///{folder / 'state.db'}"
    options = f"schema=s{_own(folder)}" if kind == "postgres" else f"prefix={_own(folder)}"
    return f"{shared_url(kind)}?timeout=5&{options}"


def backup_of(kind: str, folder: Path) -> Backup:
    """Of every kind but memory."""
    if kind == "sqlite":
        return _File(folder)
    return _Tables(kind, folder) if kind == "postgres" else _Keys(kind, folder)


class _File:
    """To be used while no process has the file open."""

    def __init__(self, folder: Path) -> None:
        self._file, self._copy = folder / "state.db", folder / "copy"

    def copy(self) -> None:
        shutil.copyfile(self._file, self._copy)

    def put_back(self) -> None:
        shutil.copyfile(self._copy, self._file.with_suffix(".new"))
        self._file.with_suffix(".new").rename(self._file)

    def empty(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._file.with_name(f"{self._file.name}{suffix}").unlink(missing_ok=True)

    def cut(self) -> None:
        """There is nothing between the file and its processes."""


class _Keys:
    """Copies of keys, as ``redis-cli`` would move them from one server to another."""

    def __init__(self, kind: str, folder: Path) -> None:
        assert kind in SERVERS
        self._client: Redis = Redis.from_url(shared_url(kind))
        self._pattern = f"{{{_own(folder)}:*"
        self._copy: dict[bytes, tuple[bytes, int]] = {}

    def copy(self) -> None:
        self._copy = {
            key: (self._client.dump(key) or b"", max(self._client.pttl(key), 0))
            for key in self._client.scan_iter(self._pattern, count=1000)
        }

    def put_back(self) -> None:
        self.empty()
        for key, (value, life_ms) in self._copy.items():
            self._client.restore(key, life_ms, value)

    def empty(self) -> None:
        for key in list(self._client.scan_iter(self._pattern, count=1000)):
            self._client.delete(key)

    def cut(self) -> None:
        self._client.client_kill_filter(_type="normal", skipme=True)


class _Tables:
    """Copies of tables, as ``pg_dump --data-only`` and a restore would make them."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._url = shared_url(kind)
        self._schema, self._copies = f"s{_own(folder)}", f"c{_own(folder)}"

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as db:
            tables = [
                name for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [self._schema])
            ]
            for statement in statements:
                for table in tables if "{table}" in statement else [""]:
                    names = {"s": self._schema, "c": self._copies, "table": table}
                    parts = {name: sql.Identifier(text) for name, text in names.items()}
                    db.execute(sql.SQL(statement).format(**parts))

    def copy(self) -> None:
        self._run(
            "DROP SCHEMA IF EXISTS {c} CASCADE", "CREATE SCHEMA {c}", "CREATE TABLE {c}.{table} AS TABLE {s}.{table}"
        )

    def put_back(self) -> None:
        self._run("TRUNCATE {s}.{table}", "INSERT INTO {s}.{table} SELECT * FROM {c}.{table}")

    def empty(self) -> None:
        self._run("DROP SCHEMA {s} CASCADE")

    def cut(self) -> None:
        self._run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stepup-mw'")
