"""``redis://``: the state of many machines. What a step does stands in ``lua/``, one script an atomic step.

Time comes in with each call and never from the server. Every key that is not somebody's factor, count of failures
or the list of names ends by itself. What the server may lose, and what follows:

* The record of a user holds factor, last step, recovery codes, failures and sightings in one key: who loses the
  count of guesses has lost the secret they are guesses at. Nothing that is lost, evicted or flushed opens a door.
* ``maxmemory-policy noeviction`` is expected: a full server then refuses (503) and forgets nothing. Any other
  policy drops records, each whole; that keys were evicted is a loss (``evicted``), known within a second, and of every
  node of a Cluster. It may also drop an address's count of attempts. The first step of a process looks, and warns.
* Replication is asynchronous: a replica that is promoted may lack the last moments of its master, and a code used
  in them could be used again within its window. ``?wait=1`` makes every step that takes something away wait for so
  many replicas, in the same round trip, and refuse without them; with ``min-replicas-to-write 1`` on the server an
  old master that was cut off stops to take writes. ``appendonly yes`` does the same for a restart.
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
from .factors import Factors
from .grants import Grants
from .kept import Requests
from .life import Lives
from .location import parse_location
from .names import Names
from .owners import Owners


class RedisStore(Factors, Codes, Grants, Requests):
    """The Store protocol; what each method promises stands there.

    url: see ``location``. Unsupported: no such URL. MissingExtra: redis-py is not installed. Connects at first use,
    from as many event loops, threads and forked processes as there are. witness: a file by which a loss is known beyond
    this process. clock: Unix seconds.
    """

    def __init__(self, url: str, *, witness: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        location = parse_location(url)
        watch = Watch(witness, clock)
        self._names = Names(location.prefix)
        self._removals = watch.removals
        self._connections = Connections(location, Lives(self._names, watch))
        self._owners = Owners(self._connections)

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        return await noting(self, self._removals, factor.user, partial(super().put_factor, factor, recovery))

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        return await noting(self, self._removals, user, partial(super().remove_factor, user, factor_id))

    async def remove_factors(self, user: str) -> int:
        return await noting(self, self._removals, user, partial(super().remove_factors, user))

    async def loss(self) -> Loss | None:
        return loss_of(await self._connections.look())

    async def accept_loss(self) -> bool:
        missed = await self.miss_nobody()
        return await self._connections.run("accept_loss", [self._names.life], read=bool) or missed

    async def missed(self, user: str) -> bool:
        return await self.loss() is not None or await super().missed(user)

    async def aclose(self) -> None:
        """Give the connections of this process back. A later step opens them again."""
        await self._connections.aclose()
