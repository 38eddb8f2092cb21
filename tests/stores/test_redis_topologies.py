"""Sentinel with a failover under three processes, and a Cluster of three nodes: the same promises."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing.managers import SyncManager
from threading import Barrier

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Store
from stepup_mw.stores.redis import RedisStore
from stepup_mw.stores.redis.names import Names
from stepup_mw.testing import Promise, store_promises
from stepup_mw.testing.records import keep_grant, make_challenge, make_factor, make_grant, try_challenge, use

from ..servers import RedisServer, free_port, until

PROCESSES, STEPS_A_SECOND, SECONDS = 3, 40, 6.0


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """Master, replica, Sentinel."""
    master, replica = RedisServer("redis-7.0"), RedisServer("redis-7.0")
    replica.ask("REPLICAOF", "127.0.0.1", str(master.port))
    until(lambda: "master_link_status:up" in replica.ask("INFO", "replication"))
    sentinel = RedisServer("redis-7.0", sentinel=master.port)
    until(lambda: "slaves=1" in sentinel.ask("INFO", "sentinel"))
    yield master, replica, sentinel
    for server in (sentinel, replica, master):
        server.kill()


def _race(url: str, start: Barrier) -> dict[str, list[int]]:
    """Every process wants every step of one clock, before, during and after the failover."""

    async def run() -> dict[str, list[int]]:
        store, won, refused = RedisStore(url), [], []
        start.wait(20)
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < SECONDS:
            step = int(passed * STEPS_A_SECOND) + 1
            try:
                if await store.consume_step("alice", "f1", step):
                    won.append(step)
            except StoreUnavailable:
                refused.append(step)
            await asyncio.sleep(0.5 / STEPS_A_SECOND)
        await store.aclose()
        return {"won": won, "refused": refused}

    return asyncio.run(run())


def test_a_failover_under_three_processes_gives_no_step_twice(
    watched: tuple[RedisServer, RedisServer, RedisServer],
) -> None:
    master, replica, sentinel = watched
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/bank/0?timeout=0.5&wait=1"
    after_url = f"redis+sentinel://127.0.0.1:{sentinel.port}/bank/0?timeout=0.5"

    async def prepare() -> None:
        store = RedisStore(f"{after_url}&wait=1".replace("timeout=0.5", "timeout=5"))
        await store.put_factor(make_factor(), ["r1"])
        await keep_grant(store, make_grant(uses_left=1))
        assert await use(store)
        await keep_grant(store, make_grant("dead", user="bob"))
        assert await store.revoke_grants("bob") == 1
        await store.aclose()

    asyncio.run(prepare())
    spawn = multiprocessing.get_context("spawn")
    with SyncManager(ctx=spawn) as manager, ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        start = manager.Barrier(PROCESSES + 1)
        # one of the three needs no acknowledgement, so that somebody goes on when the only replica is the master
        urls = [url, after_url, after_url]
        racing = [pool.submit(_race, each, start) for each in urls]
        start.wait(20)
        time.sleep(1.5)
        master.kill()
        found = [race.result(60) for race in racing]
    won = sorted(step for each in found for step in each["won"])
    assert len(won) == len(set(won)), "a step was taken twice"
    assert all(each["refused"] for each in found), "nobody noticed the failover"
    last = SECONDS * STEPS_A_SECOND
    assert any(step < last * 0.2 for step in won)
    assert any(step > last * 0.85 for step in won), "nobody went on after the failover"
    assert "role:master" in replica.ask("INFO", "replication")

    async def after() -> None:
        store = RedisStore(after_url)
        assert await store.consume_step("alice", "f1", won[-1]) is False
        assert await store.consume_step("alice", "f1", won[-1] + 100) is True
        assert await use(store) is False
        assert await store.grant("dead") is None
        await store.aclose()

    asyncio.run(after())


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    ports = [str(free_port()) for _ in range(3)]
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "4000", "--cluster-port")
    nodes = [RedisServer("redis-7.0", *options, port) for port in ports]
    bounds = [0, 5461, 10923, 16384]
    for node, first, beyond in zip(nodes, bounds, bounds[1:], strict=False):
        assert node.ask("CLUSTER", "ADDSLOTS", *map(str, range(first, beyond))) == "+OK"
    for number, node in enumerate(nodes, 1):
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number))
        nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", str(node.port), ports[number - 1])
    until(lambda: all(_is_whole(node) for node in nodes), within_s=20, what="the cluster")
    yield nodes
    for node in nodes:
        node.kill()


def _is_whole(node: RedisServer) -> bool:
    said = node.ask("CLUSTER", "INFO")
    return "cluster_state:ok" in said and "cluster_known_nodes:3" in said and "cluster_slots_ok:16384" in said


def _keeper(nodes: list[RedisServer], key: str) -> RedisServer:
    """The node that keeps a key."""
    slot = int(nodes[0].ask("CLUSTER", "KEYSLOT", key)[1:])
    return nodes[0 if slot < 5461 else 1 if slot < 10923 else 2]


def _cluster_url(nodes: list[RedisServer], options: str) -> str:
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    return f"redis+cluster://{hosts}?{options}"


_numbers = count()


@pytest.mark.parametrize("promise", store_promises(), ids=str)
def test_a_cluster_keeps_every_promise(cluster: list[RedisServer], promise: Promise) -> None:
    promise.check(lambda: RedisStore(_cluster_url(cluster, f"timeout=10&prefix=p{next(_numbers)}")))


def test_another_process_finds_what_this_one_put_on_a_cluster(cluster: list[RedisServer]) -> None:
    async def scene() -> None:
        one, other = (RedisStore(_cluster_url(cluster, "timeout=5&prefix=two")) for _ in range(2))
        grant = await keep_grant(one, make_grant(uses_left=2))
        await one.open_challenge(make_challenge(), keep=9)
        assert await other.grant("g1") == grant
        assert await use(other)
        assert await other.challenge("c1") == make_challenge()
        assert (await try_challenge(other)).number == 1
        assert await one.settle_challenge("c1", "approved", now=1001.0)
        assert await other.settle_challenge("c1", "approved", now=1001.0) is False
        await one.revoke_grants("alice")
        assert await other.grant("g1") is None
        again = await keep_grant(one, make_grant(user="bob"))
        assert await other.grant("g1") == again, "an id that another user has now"
        for store in (one, other):
            await store.aclose()

    asyncio.run(scene())


def test_a_node_that_evicts_is_known_to_have_and_nobody_it_forgot_begins_anew(cluster: list[RedisServer]) -> None:
    names = Names("full")
    life = _keeper(cluster, names.life)
    user = next(name for name in map(str, range(99)) if _keeper(cluster, names.user(name)) is not life)

    async def scene() -> None:
        store = RedisStore(_cluster_url(cluster, "timeout=2&prefix=full"))
        for each in (user, "elsewhere"):
            await store.put_factor(make_factor(each), ["r1"])
        assert await store.loss() is None
        forgetful = _keeper(cluster, names.user(user))
        await asyncio.to_thread(forgetful.evict, names.user(user), junk=names.tag(user))
        loss = await store.loss()
        assert loss is not None
        assert loss.found == "evicted"
        assert (await store.factors(user), await store.missed(user)) == ((), True)
        assert await store.consume_step(user, "f1", 99) is False
        assert await store.consume_recovery(user, "r1") is False
        assert await store.loss() == loss, "a loss is one loss"
        await store.put_factor(make_factor(user), [])
        assert await store.consume_step(user, "f1", 100) is True
        assert await store.accept_loss() is True
        assert (await store.loss(), await store.missed("newcomer")) == (None, False)
        await store.aclose()

    asyncio.run(scene())


def test_a_node_that_does_not_answer_is_no_loss_and_is_waited_for_in_time(
    cluster: list[RedisServer],
) -> None:
    keeper = _keeper(cluster, Names("half").life)

    async def scene() -> None:
        store = RedisStore(_cluster_url(cluster, "timeout=2&prefix=half"))
        await store.put_factor(make_factor(), [])
        assert await store.loss() is None
        silent = next(node for node in cluster if node is not keeper)
        silent.pause()
        try:
            begun = time.monotonic()
            assert await store.loss() is None
            assert time.monotonic() - begun < 2.3
        finally:
            silent.resume()
        until(lambda: all(_is_whole(node) for node in cluster), within_s=20, what="the cluster again")
        await store.aclose()

    asyncio.run(scene())


def test_users_of_a_node_that_is_gone_are_refused_and_come_back(cluster: list[RedisServer]) -> None:
    users = [f"user{number}" for number in range(12)]

    async def taken(store: Store, step: int) -> list[bool | None]:
        found: list[bool | None] = []
        for user in users:
            try:
                found.append(await store.consume_step(user, "f1", step))
            except StoreUnavailable:
                found.append(None)
        return found

    async def scene() -> None:
        store = RedisStore(_cluster_url(cluster, "timeout=1&prefix=gone"))
        for user in users:
            await store.put_factor(make_factor(user), [])
        assert await taken(store, 1) == [True] * 12
        cluster[2].kill()
        begun = time.monotonic()
        assert None in await taken(store, 2)
        assert time.monotonic() - begun < 12 * 1.3
        cluster[2].start()
        until(lambda: all(_is_whole(node) for node in cluster), within_s=20, what="the cluster again")
        assert True not in await taken(store, 1)
        assert await taken(store, 3) == [True] * 12
        await store.aclose()

    asyncio.run(scene())
