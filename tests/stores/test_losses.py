"""A store that was put back, emptied or exchanged: nothing that was used up or taken away is good once more, and who
had an authenticator is not taken for somebody who never had one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import FOREVER, Store
from stepup_mw.state import Kept as KeptRequest
from stepup_mw.stores.lives import LAST_GUESS
from stepup_mw.testing import LossPromise, loss_promises
from stepup_mw.testing.records import attempt, keep_grant, make_factor, make_grant, use
from stepup_mw.totp import time_step

from ..servers import SERVERS, PostgresServer, RedisServer
from .kept import NOW, Kept, KeptFile, KeptPostgres, KeptRedis

STEP = time_step(NOW)
LATER = STEP + 4
KEPT = KeptRequest(kept_id="c1", user="alice", sealed=b"sealed", expires_at=NOW + 300)
Server = PostgresServer | RedisServer | None


@pytest.fixture(scope="module", params=["sqlite", "postgres", *SERVERS])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    kind: str = request.param
    made: Server = None if kind == "sqlite" else PostgresServer() if kind == "postgres" else RedisServer(kind)
    yield made
    if made is not None:
        made.kill()


@pytest.fixture
def kept(server: Server, tmp_path: Path) -> Kept:
    if isinstance(server, RedisServer):
        return KeptRedis(tmp_path, server)
    return KeptPostgres(tmp_path, server) if server is not None else KeptFile(tmp_path)


async def _fill(kept: Kept) -> None:
    store = kept.open()
    await store.put_factor(make_factor(), ["r1", "r2"])
    await store.add_factor(make_factor(factor_id="f2"))
    await keep_grant(store, make_grant(uses_left=1))
    await store.keep_request(KEPT, now=NOW, limit=9)
    await store.aclose()


async def _beside(act: Callable[[], None]) -> None:
    """While the loop runs on, as in a service, and sees that its connections have ended."""
    await asyncio.to_thread(act)
    await asyncio.sleep(0.05)


async def _check_void(store: Store) -> None:
    assert await store.grant("g1") is None
    assert await use(store) is False
    assert await store.take_request("alice", "c1", now=NOW) is None
    assert [await store.consume_recovery("alice", code) for code in ("r1", "r2", "r3")] == [False] * 3
    factors = [factor.factor_id for factor in await store.factors("alice")]
    assert await store.consume_step("alice", "f1", STEP + 3) is False, "every code of this minute and before"
    assert await store.failures("alice") == (LAST_GUESS, 0.0)
    assert (await attempt(store, now=NOW)).locked_until == FOREVER, "one guess, and it locks for good"
    assert await store.consume_step("alice", "f1", LATER) is ("f1" in factors)
    await store.forgive("alice", "")


@pytest.mark.parametrize("promise", loss_promises(), ids=str)
def test_what_was_used_up_since_the_copy_stays_used_up(kept: Kept, promise: LossPromise) -> None:
    promise.check(lambda: kept)


def test_a_process_that_works_on_finds_it_out_before_it_answers(kept: Kept) -> None:
    if isinstance(kept, KeptFile):
        return  # a file that was exchanged is refused until the process starts again: test_sqlite_faults

    async def scene() -> None:
        await _fill(kept)
        kept.copy()
        store = kept.open()
        assert await store.consume_recovery("alice", "r1") is True
        await _beside(kept.put_back)
        assert await store.consume_recovery("alice", "r1") is False
        await _check_void(store)
        await store.aclose()

    asyncio.run(scene())


def test_a_restart_is_no_loss(kept: Kept) -> None:
    async def scene() -> None:
        await _fill(kept)
        store = kept.open()
        assert await store.consume_step("alice", "f1", STEP)
        await _beside(kept.restart)
        assert await store.loss() is None
        assert await store.grant("g1") is not None
        assert await store.consume_recovery("alice", "r1") is True
        assert await store.missed("bob") is False
        assert await store.accept_loss() is False
        await store.aclose()

    asyncio.run(scene())


def test_who_had_a_factor_in_a_store_that_was_emptied_is_missed_until_somebody_accepts(kept: Kept) -> None:
    async def scene() -> None:
        store = kept.open()
        assert await store.missed("alice") is False, "nobody has been here"
        await store.aclose()
        await _fill(kept)
        store = kept.open()
        assert await store.missed("bob") is False
        if isinstance(kept, KeptFile):
            await store.aclose()
            kept.empty()
            store = kept.open()
        else:
            kept.empty()
        assert await store.missed("alice") is True
        assert await store.factors("alice") == ()
        loss = await store.loss()
        assert loss is not None
        assert loss.found == "empty"
        await store.put_factor(make_factor("bob"), [])
        assert await store.missed("carol") is True, "nobody knows who they were"
        assert await store.accept_loss() is True
        assert (await store.missed("alice"), await store.loss()) == (False, None)
        assert await store.accept_loss() is False
        await store.aclose()

    asyncio.run(scene())


def test_a_store_nobody_has_used_has_nothing_to_lose(kept: Kept) -> None:
    async def scene() -> None:
        store = kept.open()
        assert await store.factors("alice") == ()
        await store.aclose()
        kept.empty()
        store = kept.open()
        loss = await store.loss()
        assert isinstance(kept, KeptPostgres) or loss is None, "tables without their life were emptied"
        await store.aclose()

    asyncio.run(scene())


def test_a_host_that_was_away_learns_of_it_and_ends_nothing_twice(kept: Kept) -> None:
    if isinstance(kept, KeptFile):
        return  # of one host

    async def scene() -> None:
        other = kept.open("web-2")
        await other.factors("alice")
        await other.aclose()
        await _fill(kept)
        kept.copy()
        store = kept.open()
        other = kept.open("web-2")
        assert await other.consume_recovery("alice", "r2")
        assert await other.remove_factor("alice", "f2")
        await store.consume_recovery("alice", "r1")
        await other.aclose()
        await _beside(kept.put_back)
        assert await store.consume_recovery("alice", "r1") is False
        await store.put_recovery("alice", ["new"])
        other = kept.open("web-2")
        assert await other.consume_recovery("alice", "new") is True
        assert [factor.factor_id for factor in await store.factors("alice")] == ["f1"], "which the other had taken away"
        assert await other.loss() == await store.loss()
        for each in (store, other):
            await each.aclose()

    asyncio.run(scene())


def test_a_crowd_that_finds_it_out_at_once_ends_it_once(kept: Kept) -> None:
    async def scene() -> None:
        await _fill(kept)
        kept.copy()
        store = kept.open()
        await store.consume_recovery("alice", "r1")
        await store.aclose()
        kept.put_back()
        crowd = [kept.open() for _ in range(6)]
        found = await asyncio.gather(*(each.consume_recovery("alice", "r1") for each in crowd for _ in range(3)))
        assert set(found) == {False}
        losses = [await each.loss() for each in crowd]
        assert losses == losses[:1] * 6
        for each in crowd:
            await each.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize("fault", ["damaged", "a folder in its place"])
def test_a_note_that_cannot_be_believed_is_a_loss_and_one_that_cannot_be_read_a_refusal(kept: Kept, fault: str) -> None:
    async def scene() -> None:
        await _fill(kept)
        note = kept.folder / "web-1" / "audit" / ".stepup.store"
        assert note.stat().st_mode & 0o777 == 0o600
        if fault == "damaged":
            note.write_text("nonsense")
            store = kept.open()
            assert await store.consume_recovery("alice", "r1") is False
            loss = await store.loss()
            assert loss is not None
            assert loss.found == "other"
            await store.aclose()
            return
        note.unlink()
        note.mkdir()
        with pytest.raises(StoreUnavailable):
            await kept.open().consume_recovery("alice", "r1")
        note.rmdir()
        store = kept.open()
        assert await store.consume_recovery("alice", "r1") is True
        await store.aclose()

    asyncio.run(scene())
