"""Every fault of a server is a StoreUnavailable in time, allows nothing, and ends when the fault ends."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Store
from stepup_mw.stores.redis import RedisStore
from stepup_mw.testing.records import (
    WIDE,
    attempt,
    keep_grant,
    make_challenge,
    make_earned,
    make_factor,
    make_grant,
    make_right,
    try_challenge,
    use,
)

from ..servers import SERVERS, RedisServer, until

TIMEOUT_S = 0.6
STEPS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "factors": lambda store: store.factors("alice"),
    "users": lambda store: store.users(),
    "consume_step": lambda store: store.consume_step("alice", "f1", 99),
    "consume_recovery": lambda store: store.consume_recovery("alice", "r1"),
    "take_attempt": lambda store: attempt(store, "alice", "ip", now=1000.0),
    "try_challenge": lambda store: try_challenge(store, account=WIDE),
    "take_code": lambda store: store.take_code(make_right(99)),
    "reward": lambda store: store.reward(make_earned(device="d1"), keep_grants=9, keep_seen=9),
    "open_challenge": lambda store: store.open_challenge(make_challenge("new"), keep=9),
    "challenge": lambda store: store.challenge("c1"),
    "settle_challenge": lambda store: store.settle_challenge("c1", "approved", now=1001.0),
    "due_challenges": lambda store: store.due_challenges(now=1001.0, grace_s=1.0, limit=9),
    "grant": lambda store: store.grant("g1"),
    "shown": lambda store: store.shown("alice", "d1", ["g1"]),
    "use_grant": use,
    "hits": lambda store: store.hits("k", now=1.0, window_s=60, record=True),
}
READS = {"factors", "users", "challenge", "grant", "shown"}
ANSWERED = {
    "full": READS | {"due_challenges", "consume_recovery"},  # they add nothing
    "read-only replica": READS | {"due_challenges"},  # nothing is due
    "no rights": set[str](),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    made = RedisServer(request.param)
    yield made
    made.kill()


def _clean(server: RedisServer) -> None:
    assert server.ask("FLUSHALL") == "+OK"


async def _fill(store: Store) -> None:
    await store.put_factor(make_factor(), ["r1"])
    await store.open_challenge(make_challenge(), keep=9)
    await keep_grant(store, make_grant(uses_left=1))


async def _refused(store: Store, name: str) -> float:
    """How long the refusal took."""
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as refusal:
        await STEPS[name](store)
    assert "127.0.0.1" in str(refusal.value)
    return time.monotonic() - begun


def _store(server: RedisServer, options: str = "") -> RedisStore:
    return RedisStore(server.url(f"?timeout={TIMEOUT_S}{options}"))


def test_a_killed_server_refuses_at_once_and_a_started_one_goes_on(server: RedisServer) -> None:
    _clean(server)

    async def scene() -> None:
        store = _store(server)
        await _fill(store)
        assert await store.consume_step("alice", "f1", 5)
        server.kill()
        for name in STEPS:
            assert await _refused(store, name) < TIMEOUT_S + 0.3, name
        server.start()
        assert await store.consume_step("alice", "f1", 5) is False
        assert await store.consume_step("alice", "f1", 6) is True
        assert (await store.grant("g1")) is not None
        await store.aclose()

    asyncio.run(scene())


def test_a_paused_server_refuses_in_time_a_crowd_too(server: RedisServer) -> None:
    _clean(server)

    async def scene() -> None:
        store = _store(server)
        await _fill(store)
        server.pause()
        try:
            begun = time.monotonic()
            found = await asyncio.gather(*(store.grant("g1") for _ in range(64)), return_exceptions=True)
            assert {type(each) for each in found} == {StoreUnavailable}
            assert time.monotonic() - begun < TIMEOUT_S + 0.5
            for name in ("take_attempt", "consume_step"):
                assert await _refused(store, name) < TIMEOUT_S + 0.3
        finally:
            server.resume()
        assert (await store.grant("g1")) is not None
        await store.aclose()

    asyncio.run(scene())


class _Cutter:
    """Stands in front of a server and, when told to, cuts the line in place of the next answer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cut = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self._pass(reader, back, answers=False), self._pass(there, writer, answers=True))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while piece := await reader.read(65536):
            if answers and self.cut:
                self.cut = False
                break
            writer.write(piece)
        writer.close()


def test_a_step_whose_answer_was_lost_is_not_asked_again(server: RedisServer) -> None:
    _clean(server)

    async def scene() -> None:
        cutter = _Cutter(server.port)
        front = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
        port = front.sockets[0].getsockname()[1]
        store = RedisStore(f"redis://127.0.0.1:{port}?timeout=2")
        assert (await attempt(store, now=1000.0)).failures == 1
        cutter.cut = True
        await _refused(store, "take_attempt")
        assert await store.failures("alice") == (2, 0.0), "it was counted, and once"
        await store.aclose()
        front.close()

    asyncio.run(scene())


@pytest.mark.parametrize("fault", ["full", "read-only replica", "no rights", "loading scripts anew"])
def test_an_answer_that_is_an_error_is_a_refusal(server: RedisServer, fault: str) -> None:
    _clean(server)
    begin, end = {
        "full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        "read-only replica": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        "no rights": (
            ("ACL", "SETUSER", "default", "-@all", "+info", "+acl", "+client"),
            ("ACL", "SETUSER", "default", "+@all"),
        ),
        "loading scripts anew": (("SCRIPT", "FLUSH"), ("PING",)),
    }[fault]

    async def scene() -> None:
        store = _store(server)
        await _fill(store)
        assert server.ask(*begin)[0] == "+"
        try:
            if fault == "loading scripts anew":
                assert await store.consume_step("alice", "f1", 9)
            else:
                for name in STEPS.keys() - ANSWERED[fault]:
                    await _refused(store, name)
        finally:
            assert server.ask(*end)[0] == "+"
        assert await store.consume_step("alice", "f1", 99) is True
        assert await use(store) is True
        await store.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize("lost", ["all", "the user", "each other key in turn"])
def test_what_is_lost_allows_nothing(server: RedisServer, lost: str) -> None:
    async def scene() -> None:
        store = _store(server)
        _clean(server)
        await _fill(store)
        keys = _keys(server)
        assert len(keys) >= 8
        user_key = next(key for key in keys if key.endswith(":user"))
        others: list[str | None] = [key for key in keys if key != user_key]
        chosen: list[str | None] = [None] if lost == "all" else [user_key] if lost == "the user" else others
        for key in chosen:
            _clean(server)
            await _fill(store)
            await store.remember("alice", "network", "n1", now=1.0, keep=9)
            assert await store.consume_step("alice", "f1", 50)
            for _ in range(5):
                await attempt(store, now=1000.0)
            await use(store)
            await store.settle_challenge("c1", "denied", now=1001.0)
            assert server.ask(*(("DEL", key) if key else ("FLUSHALL",)))[0] in ":+"
            assert await store.consume_step("alice", "f1", 50) is False, key
            assert await use(store) is False, key
            assert await store.settle_challenge("c1", "approved", now=1002.0) is False, key
            assert (await try_challenge(store, account=WIDE)).number is None, key
            factor_is_there = bool(await store.factors("alice"))
            if factor_is_there:
                assert (await store.failures("alice"))[0] == 5, key
                assert (await store.sighting("alice", "network", "n2")).any, key
            else:
                assert await store.consume_recovery("alice", "r1") is False
        await store.aclose()

    asyncio.run(scene())


def _keys(server: RedisServer) -> list[str]:
    """Every key, by the client that comes with redis-server."""
    done = subprocess.run(
        ["redis-cli", "-p", str(server.port), "--scan"], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.split()


def test_no_key_holds_text_of_a_request_and_all_but_the_kept_ones_end(server: RedisServer) -> None:
    _clean(server)
    user = "zoë*{x}"

    async def scene() -> None:
        store = _store(server, "&prefix=bank")
        await store.put_factor(make_factor(user), ["r1"])
        await store.open_challenge(make_challenge("id{1}*", user=user), keep=9)
        await keep_grant(store, make_grant("grant{2}*", user=user))
        await attempt(store, user, "203.0.113.9", now=1000.0)
        await store.hits("key{3}*", now=1000.0, window_s=60, record=True)
        await store.aclose()

    asyncio.run(scene())
    keys = _keys(server)
    assert all(key.startswith("{bank:") for key in keys)
    for text in ("zo", "id{1}", "grant{2}", "203.0", "key{3}", "*"):
        assert not [key for key in keys if text in key]
    tags = {key.split("}")[0] for key in keys if key.endswith((":user", ":challenges", ":bodies", ":grants"))}
    assert len(tags) == 1
    endless = {key.rpartition("}")[2] or key for key in keys if server.ask("PTTL", key) == ":-1"}
    assert endless == {":user", "{bank:users}", "{bank:had}", "{bank:life}", ":open", ":count"}


def test_a_crowd_of_challenges_and_grants_by_one_user_stays_small(server: RedisServer) -> None:
    _clean(server)

    async def scene() -> None:
        store = _store(server)
        sizes = []
        for turn in range(2):
            for number in range(150):
                name = f"{turn}-{number}"
                evicted = await store.open_challenge(make_challenge(name, created_at=1000.5 + number), keep=8) or ()
                for challenge in evicted:
                    await store.mark_logged(challenge.challenge_id)
                await keep_grant(store, make_grant(name, proved_at=1000.0 + number), keep=8)
                await store.remember("alice", "device", name, now=float(number), keep=8)
            sizes.append(len([key for key in _keys(server) if ":g:" not in key]))
        assert sizes[1] <= sizes[0] <= 8 + 33 + 12
        await store.aclose()

    asyncio.run(scene())


def test_the_first_step_warns_of_a_server_that_forgets(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    _clean(server)
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    server.ask("CONFIG", "SET", "appendonly", "no")

    async def scene() -> None:
        store = _store(server)
        for _ in range(3):
            await store.factors("alice")
        await store.aclose()

    with caplog.at_level(logging.WARNING, "stepup_mw"):
        asyncio.run(scene())
    server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.ask("CONFIG", "SET", "appendonly", "yes")
    until(lambda: "aof_rewrite_in_progress:0" in server.ask("INFO", "persistence"))
    said = [record.getMessage() for record in caplog.records if record.name == "stepup_mw"]
    assert len(said) == 2
    assert "allkeys-lru" in said[0]
    assert "append-only" in said[1]
    asyncio.run(scene())
    assert len([record for record in caplog.records if record.name == "stepup_mw"]) == 2


@pytest.mark.parametrize("kept", ["the life", "nothing"])
def test_a_server_that_evicts_allows_no_more_says_so_and_is_itself_again(server: RedisServer, kept: str) -> None:
    _clean(server)

    async def scene() -> None:
        store = _store(server)
        assert await store.loss() is None
        await _fill(store)
        await store.remember("alice", "network", "n1", now=1.0, keep=9)
        for _ in range(3):
            await attempt(store, now=1000.0)
        user, had, life = (
            next(key for key in _keys(server) if key.endswith(end)) for end in (":user", ":had}", ":life}")
        )
        for key in (user, had):
            await asyncio.to_thread(server.evict, key, spare=life if kept == "the life" else "")
        assert await store.factors("alice") == ()
        assert await store.missed("alice") is True, "nobody who may have had one begins anew"
        loss = await store.loss()
        assert loss is not None
        assert loss.found == ("evicted" if server.ask("HGET", life, "found") == "evicted" else "empty")
        assert kept == "nothing" or loss.found == "evicted"
        assert await store.consume_step("alice", "f1", 99) is False
        assert await store.consume_recovery("alice", "r1") is False
        assert await store.loss() == loss, "a loss is one loss"
        await store.put_factor(make_factor(), ["r2"])
        assert await store.consume_step("alice", "f1", 100) is True
        assert await store.accept_loss() is True
        assert (await store.loss(), await store.missed("bob")) == (None, False)
        await store.aclose()

    asyncio.run(scene())


def test_what_a_server_had_evicted_before_and_a_new_run_of_it_are_no_loss(server: RedisServer) -> None:
    _clean(server)

    async def scene() -> None:
        server.ask("SET", "junk", "x")
        await asyncio.to_thread(server.evict, "junk")
        _clean(server)
        store = _store(server)
        await _fill(store)
        assert await store.loss() is None
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.sleep(0.05)  # the loop runs on, and sees that its connections have ended
        assert await store.loss() is None
        assert await use(store) is True
        await store.aclose()

    asyncio.run(scene())


def test_a_replica_that_must_acknowledge_and_does_not_is_a_refusal(server: RedisServer) -> None:
    _clean(server)

    async def scene(replica: RedisServer) -> None:
        store = RedisStore(server.url("?timeout=4&wait=1"))
        with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
            await store.put_factor(make_factor(), [])
        replica.ask("REPLICAOF", "127.0.0.1", str(server.port))
        until(lambda: "state=online" in server.ask("INFO", "replication"))
        await _fill(store)
        assert await store.consume_step("alice", "f1", 5) is True
        assert replica.ask("EXISTS", next(key for key in _keys(replica) if key.endswith(":user"))) == ":1"
        replica.pause()
        try:
            hasty = _store(server, "&wait=1")
            assert await _refused(hasty, "take_attempt") < TIMEOUT_S + 0.3
            assert await hasty.factors("alice") != ()
            await hasty.aclose()
        finally:
            replica.resume()
        await store.aclose()

    replica = RedisServer(server.kind)
    try:
        asyncio.run(scene(replica))
    finally:
        replica.kill()


def _in_a_child(store: Store) -> int:
    child = os.fork()
    if child == 0:
        code = os.EX_SOFTWARE
        try:
            asyncio.events._set_running_loop(None)
            code = os.EX_OK if asyncio.run(store.consume_step("alice", "f1", 5)) else os.EX_DATAERR
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_process_has_connections_of_its_own(server: RedisServer) -> None:
    _clean(server)
    store = _store(server)

    async def scene() -> None:
        await _fill(store)
        assert _in_a_child(store) == os.EX_OK
        assert await store.consume_step("alice", "f1", 5) is False
        assert (await store.grant("g1")) is not None
        await store.aclose()

    asyncio.run(scene())


def test_a_client_that_goes_away_in_the_middle_leaves_no_answer_for_the_next(server: RedisServer) -> None:
    _clean(server)

    async def scene() -> None:
        store = RedisStore(server.url("?timeout=2&connections=1"))
        await _fill(store)
        for number in range(60):
            task = asyncio.create_task(store.consume_step("alice", "f1", number))
            await asyncio.sleep(number * 0.00002)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            grant = await store.grant("g1")
            assert grant is not None
            assert grant.grant_id == "g1"
        await store.aclose()

    asyncio.run(scene())
