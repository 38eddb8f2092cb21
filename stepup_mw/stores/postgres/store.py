"""``postgresql://``: the state of many machines, in tables of a schema of their own.

Each step is one statement, one round trip and one transaction (READ COMMITTED); what a longer one does stands in
``sql/``. Steps of one user come one after the other (an advisory lock of the transaction), steps on one row
under its row lock. The server's own ``synchronous_commit`` and ``synchronous_standby_names`` say what a crash or a
failover may lose; with several hosts in the URL, ``target_session_attrs=read-write`` finds the one that writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ...state import Factor, Loss
from ..lives import loss_of
from ..removals import noting
from ..witness import Watch
from .codes import Codes
from .connections import Connections
from .flows import Challenges, Grants
from .kept import Requests
from .location import parse_location
from .people import Factors, Throttle


class PostgresStore(Factors, Throttle, Challenges, Codes, Grants, Requests):
    """The Store protocol; what each method promises stands there.

    url: see ``location``. Unsupported: no such URL. MissingExtra: psycopg is not installed. Connects at
    first use, from as many event loops, threads and forked processes as there are. witness: a file by which a loss
    is known beyond this process. clock: Unix seconds.
    """

    def __init__(self, url: str, *, witness: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        watch = Watch(witness, clock)
        self._removals = watch.removals
        self._connections = Connections(parse_location(url), watch)

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        return await noting(self, self._removals, factor.user, partial(super().put_factor, factor, recovery))

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        return await noting(self, self._removals, user, partial(super().remove_factor, user, factor_id))

    async def remove_factors(self, user: str) -> int:
        return await noting(self, self._removals, user, partial(super().remove_factors, user))

    async def loss(self) -> Loss | None:
        return loss_of(await self._connections.loss())

    async def accept_loss(self) -> bool:
        step = "UPDATE {s}.life SET lost_at = 0, found = '' WHERE found <> '' RETURNING 1"
        return await self._connections.one(step) is not None

    async def missed(self, user: str) -> bool:  # noqa: ARG002 - what is lost here is lost for all
        return await self.loss() is not None

    async def aclose(self) -> None:
        """Give the connections of this process back. A later step opens them again."""
        await self._connections.aclose()
