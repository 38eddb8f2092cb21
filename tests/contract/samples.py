"""Records for the tests of the stores, and the stores themselves: one more kind is one more line of STORES."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from stepup_mw.settings import AccountThrottle, AddressThrottle
from stepup_mw.state import Challenge, Factor, Grant, Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.postgres import PostgresStore
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.sqlite import SqliteStore

from ..servers import SERVERS, shared_url


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

ACCOUNT = AccountThrottle(failures=5, lock_s=30, grow=2.0, max_lock_s=100, ceiling=23)
ADDRESS = AddressThrottle(failures=50, window_s=600)


def make_factor(user: str = "alice", factor_id: str = "f1", **changes: Any) -> Factor:
    return Factor(**{"user": user, "factor_id": factor_id, "sealed": b"\0sealed\xff", "created_at": 1000.25, **changes})


def make_challenge(challenge_id: str = "c1", **changes: Any) -> Challenge:
    values: dict[str, Any] = {
        "challenge_id": challenge_id,
        "user": "alice",
        "session": "s1",
        "browser": "b1",
        "rule": "transfer",
        "rule_version": "v1",
        "binding": "",
        "flow_id": f"flow-{challenge_id}",
        "reason": "route_policy",
        "facts": b'{"a":1}',
        "created_at": 1000.5,
        "expires_at": 1300.5,
        "return_to": b"\0\1",
    }
    return Challenge(**{**values, **changes})


def make_grant(grant_id: str = "g1", **changes: Any) -> Grant:
    values: dict[str, Any] = {
        "grant_id": grant_id,
        "user": "alice",
        "session": "s1",
        "browser": "b1",
        "service": "bank",
        "scope": "route",
        "rule": "transfer",
        "rule_version": "v1",
        "binding": "digest",
        "method": "totp",
        "flow_id": f"flow-{grant_id}",
        "challenge_id": "c1",
        "proved_at": 1000.125,
        "expires_at": 1300.5,
    }
    return Grant(**{**values, **changes})


async def keep_grant(store: Store, grant: Grant, *, keep: int = 9) -> Grant:
    """Put a grant of the user's epoch, as the gate does; the grant as it was kept."""
    grant = replace(grant, epoch=await store.epoch(grant.user))
    assert await store.put_grant(grant, keep=keep)
    return grant


async def bare(store: Store, grant_id: str) -> Grant | None:
    """A grant without its epoch, which no two stores draw alike."""
    found = await store.grant(grant_id)
    return found and replace(found, epoch=0)
