"""A user who never stops makes no server grow: what is there is counted by the server itself, after so many of each
thing and after as many more; after a million in memory. A million on each: ``python -m tests.bench challenges``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from stepup_mw.gate.challenges import KEEP_OPEN
from stepup_mw.gate.grants import KEEP
from stepup_mw.state import Store

from ..bench.bounds import ACTS, MILLION, fill, memory
from ..contract.samples import ACCOUNT, ADDRESS, STORES, keep_grant, make_challenge, make_grant
from ..servers import shared_url

TURN, AT_ONCE = 400, 40
MOST = 4 * (KEEP_OPEN + 64 + KEEP) + 200


async def _a_turn(store: Store, first: int) -> None:
    """Challenges asked for and left, grants, guesses, hits and devices, forty at a time."""

    async def one(number: int) -> None:
        now = 1000.0 + number
        asked = make_challenge(f"c{number}", created_at=now, expires_at=now + 300)
        for old in await store.open_challenge(asked, keep=KEEP_OPEN) or ():
            await store.mark_logged(old.challenge_id)
        await keep_grant(store, make_grant(f"g{number}", proved_at=now, expires_at=now + 300), keep=KEEP)
        await store.take_attempt("alice", "ip", now=now, account=ACCOUNT, limit=ADDRESS)
        await store.hits("burst", now=now, window_s=60, record=True)
        await store.remember("alice", "device", f"d{number}", now=now, keep=50)

    for start in range(first, first + TURN, AT_ONCE):
        await asyncio.gather(*(one(number) for number in range(start, start + AT_ONCE)))
    await store.due_challenges(now=1000.0 + first + TURN, grace_s=30.0, limit=256)


def _keys_of(url: str, prefix: str) -> int:
    """Keys, and what is in each."""
    client: Redis = Redis.from_url(url)
    found = 0
    for key in client.scan_iter(f"{{{prefix}*", count=1000):
        kind = client.type(key)
        sizes: dict[object, Callable[..., int]] = {b"hash": client.hlen, b"zset": client.zcard, b"set": client.scard}
        size = sizes.get(kind)
        found += size(key) if size else 1
    client.close()
    return found


def _rows_of(url: str, schema: str) -> int:
    with psycopg.connect(url) as db:
        tables = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
        counts = [db.execute(f"SELECT count(*) FROM {schema}.{name}".encode()).fetchone() for (name,) in tables]  # noqa: S608
    return sum(count[0] for count in counts if count)


@pytest.mark.parametrize("kind", ["valkey-8", "redis-6.2", "postgres"])
def test_a_crowd_by_one_user_does_not_grow_a_server(kind: str, tmp_path: Path) -> None:
    async def scene() -> tuple[int, int]:
        store = STORES[kind](tmp_path)
        sizes = []
        for turn in range(2):
            await _a_turn(store, turn * TURN)
            sizes.append(await asyncio.to_thread(_count, kind, tmp_path))
        await store.aclose()
        return sizes[0], sizes[1]

    first, second = asyncio.run(scene())
    assert second <= min(first + 40, MOST), "it goes on growing"


def _count(kind: str, folder: Path) -> int:
    own = sha256(str(folder).encode()).hexdigest()[:16]
    return _rows_of(shared_url(kind), f"s{own}") if kind == "postgres" else _keys_of(shared_url(kind), own)


@pytest.mark.timeout(900)
def test_a_million_challenges_by_one_user_do_not_grow_memory() -> None:
    (early, early_bytes), (late, late_bytes) = asyncio.run(fill(memory(), ACTS["challenges"], MILLION))
    assert late <= early + 8
    assert late_bytes <= early_bytes + 8 * 1024
