"""Where the state of all workers is kept: one adapter a kind of store, chosen by the URL.

Owns the reading of the URL. No store holds a decision: limits and times come in as arguments.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import Unsupported
from ..state import Store
from .memory import MemoryStore
from .postgres import PostgresStore
from .postgres.location import SCHEMES as POSTGRES_SCHEMES
from .redis import RedisStore
from .redis.location import SCHEMES as REDIS_SCHEMES
from .sqlite import SqliteStore
from .workers import refuse_many_workers

__all__ = ["open_store", "refuse_many_workers"]

_SQLITE = "sqlite:///"


def open_store(url: str, *, witness: Path | None = None, clock: Callable[[], float] = time.time) -> Store:
    """The store that ``url`` names: ``memory://``, ``sqlite:///relative.db`` or ``sqlite:////absolute.db``,
    ``redis://`` and its kin (see ``redis.location``), ``postgresql://`` (see ``postgres.location``).

    A database file that is missing is made here, and only here; a server is asked at first use. Unsupported: no such
    kind of store, ``memory://`` with more than one worker, or a database of a newer version. StoreUnavailable: a file
    that cannot be used. MissingExtra: the client of that server is not installed. witness: a file elsewhere, by which
    a store that lost what it knew is told from one that is new; clock: Unix seconds.
    """
    scheme = url.partition("://")[0]
    if scheme in REDIS_SCHEMES:
        return RedisStore(url, witness=witness, clock=clock)
    if scheme in POSTGRES_SCHEMES:
        return PostgresStore(url, witness=witness, clock=clock)
    if url == "memory://":
        refuse_many_workers(os.environ, sys.argv)
        return MemoryStore()
    path = url.removeprefix(_SQLITE)
    if path == url or not path or path.startswith(":") or "\0" in path:
        raise Unsupported(
            f"no store can be opened at {scheme}://: use memory://, sqlite:///path, redis:// or postgresql://"
        )
    return SqliteStore(Path(path), witness=witness, clock=clock)
