"""A server behind a wall that drops what is sent to it: no refusal comes, no answer, nothing. Each step is refused in
time all the same, and goes through once the wall is gone."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.stores import open_store
from stepup_mw.testing.records import attempt, make_factor

from ..servers import PostgresServer, RedisServer

TIMEOUT_S = 0.6
URLS = {
    "redis": "redis://127.0.0.1:{port}/0?timeout=0.6",
    "rediss": "rediss://127.0.0.1:{port}/0?timeout=0.6",
    "sentinel": "redis+sentinel://127.0.0.1:{port}/bank/0?timeout=0.6",
    "cluster": "redis+cluster://127.0.0.1:{port}?timeout=0.6",
    "postgres": "postgresql://stepup@127.0.0.1:{port}/stepup?timeout=0.6",
}


@contextmanager
def _wall(port: int = 0) -> Iterator[int]:
    """A port whose queue of connections is full: Linux drops each further one without a word."""
    with socket.socket() as wall:
        wall.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wall.bind(("127.0.0.1", port))
        wall.listen(0)
        address = wall.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        time.sleep(0.05)
        with socket.socket() as probe:
            probe.settimeout(0.2)
            with pytest.raises(TimeoutError):
                probe.connect(address)
        yield address[1]
        for each in waiting:
            each.close()


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_server_that_drops_everything_is_a_refusal_in_time_for_a_crowd_too(url: str) -> None:
    async def scene(port: int) -> None:
        store = open_store(url.format(port=port))
        for crowd in (1, 1, 16):
            begun = time.monotonic()
            asked = [store.grant("g1"), *(attempt(store, now=1000.0) for _ in range(crowd))]
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(each) for each in found} == {StoreUnavailable}
            assert time.monotonic() - begun < TIMEOUT_S + 1.5, "on a busy machine, too"
        await store.aclose()

    with _wall() as port:
        asyncio.run(scene(port))


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_a_store_whose_server_was_behind_a_wall_at_first_needs_no_restart(kind: str) -> None:
    server = RedisServer("valkey-8") if kind == "redis" else PostgresServer()
    server.kill()

    async def scene() -> None:
        store = open_store(server.url(f"?timeout={TIMEOUT_S}"))
        with _wall(server.port), pytest.raises(StoreUnavailable):
            await store.put_factor(make_factor(), [])
        await asyncio.to_thread(server.start)
        await store.put_factor(make_factor(), [])
        assert await store.consume_step("alice", "f1", 5) is True
        await store.aclose()

    try:
        asyncio.run(scene())
    finally:
        server.kill()
