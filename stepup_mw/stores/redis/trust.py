"""Whom the connections of a client believe, over TLS: one context for all of them.

redis-py makes one for each connection, from every authority of the system and ``ca_file`` beside them; that takes tens
of milliseconds of the event loop, in which no deadline is kept, and believes whoever any of them has signed. Here
``ca_file``, where it is given, is the only one.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

from .location import Location


class _Trusting:
    """In front of a class of connections of redis-py's."""

    trusted: ssl.SSLContext

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = self.trusted  # type: ignore[attr-defined]


def make_context(location: Location) -> ssl.SSLContext:
    """OSError: a file that cannot be read, or is no certificate."""
    context = ssl.create_default_context(cafile=location.ca_file)
    if location.cert_file:
        context.load_cert_chain(location.cert_file, location.key_file)
    return context


def trust(client: Any, context: ssl.SSLContext) -> None:
    """From now on every new connection of a client, and of those of its Sentinels."""
    pools = _pools(client)
    for pool in pools:
        pool.connection_class = _trusting(pool.connection_class, context)
    if not pools:  # a Cluster: of the nodes that are named, and of those that they name
        options = client.connection_kwargs
        options["connection_class"] = _trusting(options["connection_class"], context)
        for node in client.startup_nodes:
            node.connection_class = options["connection_class"]


def _pools(client: Any) -> list[Any]:
    pool = getattr(client, "connection_pool", None)
    sentinels: Iterable[Any] = getattr(getattr(pool, "sentinel_manager", None), "sentinels", ())
    return [pool, *(each.connection_pool for each in sentinels)] if pool is not None else []


def _trusting(kind: type, context: ssl.SSLContext) -> type:
    return type(kind.__name__, (_Trusting, kind), {"trusted": context})
