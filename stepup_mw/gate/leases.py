"""How long an answer may go on under one proof: what a WebSocket or a long stream must end by.

Promised: it ends when its life is over, or when what let it in is revoked, within RECHECK_S while the store answers. A
store that does not answer cuts nothing short, and prolongs nothing.
"""

from __future__ import annotations

from typing import Literal

from ..errors import StoreUnavailable
from ..state import Grant
from .services import Services
from .visit import Visit

RECHECK_S = 5.0


class Lease:
    """One answer's. ``ends_at``: Unix seconds; ``epoch``: of the user when it began; ``ended``: why it is over, None
    while it is not."""

    def __init__(self, services: Services, user: str, *, ends_at: float, epoch: int, grant: Grant | None) -> None:
        self._services = services
        self._user = user
        self._ends_at = ends_at
        self._epoch = epoch
        self._grant = grant
        self.ended: Literal["proof_expired", "proof_revoked"] | None = None

    async def left_s(self) -> float:
        """For how many seconds the answer may go on before this is asked again; 0 once it must end."""
        left = self._ends_at - self._services.clock()
        if self.ended is None and left <= 0:
            self.ended = "proof_expired"
        if self.ended is None and await self._is_revoked():
            self.ended = "proof_revoked"
        return 0.0 if self.ended is not None else min(left, RECHECK_S)

    async def _is_revoked(self) -> bool:
        store, grant = self._services.store, self._grant
        try:
            if self._user and await store.epoch(self._user) != self._epoch:
                return True
            if grant is None or self._services.clock() >= grant.expires_at:
                return False
            return await store.grant(grant.grant_id) is None
        except StoreUnavailable:
            return False


async def lease_for(services: Services, visit: Visit, proved_at: float | None, grant: Grant | None) -> Lease | None:
    """The life of a request's answer, from the time of its proof on, or from now where it needed none; None where its
    rule sets no end to it, or only reports."""
    life_s = visit.rule.stream_max_age_s
    if life_s is None or visit.rule.mode == "report":
        return None
    user = visit.person.user if visit.person is not None else ""
    return Lease(
        services,
        user,
        ends_at=(proved_at if proved_at is not None else visit.now) + life_s,
        epoch=await services.store.epoch(user) if user else 0,
        grant=grant if grant is not None and grant.uses_left is None else None,
    )
