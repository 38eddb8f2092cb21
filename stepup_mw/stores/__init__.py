"""Where the state of all workers is kept: one adapter a kind of store, chosen by the URL.

Owns the reading of the URL. No store holds a decision: limits and times come in as arguments.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..errors import Unsupported
from ..state import Store
from .memory import MemoryStore
from .sqlite import SqliteStore
from .workers import refuse_many_workers

__all__ = ["open_store", "refuse_many_workers"]

_SQLITE = "sqlite:///"


def open_store(url: str) -> Store:
    """The store that ``url`` names: ``memory://``, ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    A database that is missing is made here, and only here. Unsupported: no such kind of store, ``memory://`` with
    more than one worker, or a database of a newer version. StoreUnavailable: a file that cannot be used.
    """
    if url == "memory://":
        refuse_many_workers(os.environ, sys.argv)
        return MemoryStore()
    path = url.removeprefix(_SQLITE)
    if path == url or not path or path.startswith(":") or "\0" in path:
        raise Unsupported(f"no store can be opened at {url!r}: use memory:// or sqlite:///path")
    return SqliteStore(Path(path))
