"""The clients of redis-py, as this store wants them, and a look at how the server is set up.

The one module that imports redis; it is loaded only when a store is opened at a URL of its kinds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError, RedisError

from .life import Evicted
from .location import Location
from .trust import make_context, trust

_log = logging.getLogger("stepup_mw")


Look = Callable[[Callable[..., Awaitable[Any]]], Awaitable[object | None]]


class Doubtful(RedisError):
    """A new connection leads to a server that is not the one it was; nothing was asked over it yet."""


def open_client(location: Location, look: Look | None = None) -> Any:
    """As ``_make``, over TLS where the URL says so. OSError: a file that cannot be read."""
    context = make_context(location) if location.tls else None
    client = _make(location, look)
    if context is not None:
        trust(client, context)
    return client


def _make(location: Location, look: Look | None) -> Any:
    """A client that connects at its first command and never asks twice. ``look``, at each new connection but those
    to a Cluster: None is Doubtful. Who gives one keeps the time of every command: the client, which would set two more
    timers and begin a task for each, does not then. OSError: a file that cannot be read."""
    options = _shared(location) | {
        "username": location.user,
        "password": _secret(location.password_file) or location.password,
    }
    if location.topology == "cluster":
        nodes = [ClusterNode(host, port) for host, port in location.hosts]
        return RedisCluster(startup_nodes=nodes, max_connections=location.connections, **options)
    options |= {"db": location.db, "max_connections": location.connections}
    if look is not None:
        options |= {"redis_connect_func": _meeting(look), "socket_timeout": None}
    if location.topology == "sentinel":
        asked = _shared(location) | {
            "username": location.sentinel_user,
            "password": _secret(location.sentinel_password_file),
        }
        sentinel = Sentinel(location.hosts, sentinel_kwargs=asked, **options)  # type: ignore[no-untyped-call]
        return sentinel.master_for(location.name)
    host, port = location.hosts[0]
    return Redis(host=host, port=port, **options)


def _meeting(look: Look) -> Callable[[Any], Awaitable[None]]:
    async def meet(connection: Any) -> None:
        await connection.on_connect()

        async def ask(*words: Any) -> Any:
            await connection.send_command(*words)
            return await connection.read_response()

        try:
            found = await look(ask)
        except OSError as error:
            raise RedisError(str(error)) from error
        if found is None:
            raise Doubtful("the server is not the one it was")

    return meet


async def ask(client: Any, *words: Any) -> Any:
    """One command to a server that is no Cluster, and its answer as it comes. The client itself would look whether to
    ask again, and measure, and take longer for that than for the command."""
    pool = client.connection_pool
    connection = await pool.get_connection()
    try:
        await connection.send_command(*words)
        return await connection.read_response()
    finally:
        await pool.release(connection)


async def ask_cluster(client: Any, *words: Any) -> Any:
    return await client.execute_command(*words)


def _shared(location: Location) -> dict[str, Any]:
    half = location.timeout_s / 2
    options: dict[str, Any] = {
        "socket_timeout": half,
        "socket_connect_timeout": half,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if location.tls:
        options |= {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return options


def _secret(path: str | None) -> str | None:
    return Path(path).read_text(encoding="utf-8").strip() if path else None


async def close_client(client: Any) -> None:
    """Close every connection of a client, and those of its Sentinels."""
    await client.aclose()
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        await pool.disconnect()
        for sentinel in getattr(getattr(pool, "sentinel_manager", None), "sentinels", ()):
            await sentinel.aclose()


async def evicted_by(client: Any) -> tuple[Evicted, ...]:
    """By each server that says so, and to us."""
    try:
        servers = await _servers(client)
    except NoPermissionError:
        return ()
    said = ((server.get("run_id"), server.get("evicted_keys")) for server in servers)
    return tuple(sorted(Evicted(str(run), int(keys)) for run, keys in said if run is not None and keys is not None))


async def look_at_server(client: Any, location: Location) -> None:
    """Warn of a server that may forget what it was told: that is what used codes and dead grants live from."""
    for warning in sorted({warning for server in await _servers(client) for warning in warnings_of(server)}):
        _log.warning("%s: %s", location, warning)


async def _servers(client: Any) -> list[Mapping[str, Any]]:
    """What each says of itself (INFO): of a Cluster those that take writes and answer, for the others may work on."""
    if not isinstance(client, RedisCluster):
        return [await client.info()]
    nodes = (client.info(target_nodes=node) for node in client.get_primaries())
    said = await asyncio.gather(*nodes, return_exceptions=True)
    for refused in said:
        if isinstance(refused, NoPermissionError):
            raise refused
    return [each for each in said if not isinstance(each, BaseException)]


def warnings_of(server: Mapping[str, Any]) -> list[str]:
    """``server``: the answer to INFO. What is not said is not judged."""
    found = []
    policy = server.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(
            f'maxmemory-policy is "{policy}": a full server drops what it was told, and that counts as a loss; '
            'set it to "noeviction", and a full server refuses instead'
        )
    if server.get("aof_enabled") == 0 and server.get("connected_slaves") == 0:
        found.append(
            "no append-only file and no replica: a restart brings back used codes and revoked grants; "
            "set appendonly yes"
        )
    return found
