"""Records for the tests of the stores, and the stores themselves: one more kind is one more line of STORES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path

from stepup_mw.state import Grant, Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing.records import (
    ACCOUNT,
    ADDRESS,
    WIDE,
    make_challenge,
    make_earned,
    make_factor,
    make_grant,
    make_right,
    make_terms,
    put_grant,
    try_challenge,
    use,
)

from ..servers import SERVERS, shared_url

__all__ = [
    "ACCOUNT", "ADDRESS", "STORES", "WIDE", "bare", "keep_grant", "make_challenge", "make_earned", "make_factor",
    "make_grant", "make_right", "make_terms", "put_grant", "try_challenge", "use",
]  # fmt: skip


def _on_redis(kind: str, folder: Path) -> Store:
    """A prefix of its own for each folder keeps the tests apart."""
    prefix = sha256(str(folder).encode()).hexdigest()[:16]
    return RedisStore(f"{shared_url(kind)}?timeout=10&prefix={prefix}")


def _on_postgres(folder: Path) -> Store:
    schema = "s" + sha256(str(folder).encode()).hexdigest()[:16]
    return PostgresStore(f"{shared_url('postgres')}?timeout=10&schema={schema}")


STORES: Mapping[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda folder: SqliteStore(folder / "state.db", wait_s=10.0),
    "postgres": _on_postgres,
    **{kind: partial(_on_redis, kind) for kind in SERVERS},
}


async def keep_grant(store: Store, grant: Grant, *, keep: int = 9) -> Grant:
    """Put a grant of the user's epoch, as the gate does; the grant as it was kept."""
    grant = grant._replace(epoch=await store.epoch(grant.user))
    assert await put_grant(store, grant, keep=keep)
    return grant


async def bare(store: Store, grant_id: str) -> Grant | None:
    """A grant without its epoch, which no two stores draw alike."""
    found = await store.grant(grant_id)
    return found and found._replace(epoch=0)
