"""Challenges that were lost with the store: each has its one outcome all the same, ``error`` with ``store_lost``.

Which they are the trail knows: what was issued shortly before the loss, has no outcome there, and is not in the store
any more. A life that ends takes its challenges along (``stores.lives``), so what a copy brings back is never answered,
and ends no second time. One that was issued here and answered through another host has its outcome in that one's trail;
the one here says then that it is about a store that was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..events import Facts
from .challenges import GRACE_S
from .services import Services

SOON_S = 3600.0
"""A loss that was found longer ago has been seen to by who found it."""

_SHARED = ("user_id", "session_id", "flow_id", "request_id", "service", "action", "origin", "risk", "policy", "trace")


async def end_what_is_gone(services: Services) -> int:
    """How many outcomes were written. Called with each turn of the housekeeping, it works once for each loss.
    Unavailable: at the next turn."""
    lost, now = services.lost, services.clock()
    if lost.told == lost.ended or now < lost.told + GRACE_S:
        return 0
    count = 0
    if now < lost.told + SOON_S:
        since = lost.told - services.settings.challenge.ttl_s - GRACE_S
        for line in await services.journal.unended(since=since, until=lost.told + GRACE_S):
            count += await _end(services, line, now)
    lost.ended = lost.told
    return count


async def _end(services: Services, line: Mapping[str, Any], now: float) -> bool:
    """One of all that find it writes its line."""
    challenge_id = line["proof"]["challenge_id"]
    if await services.store.challenge(challenge_id) is not None:
        return False
    if await services.store.hits(f"ended:{challenge_id}", now=now, window_s=int(SOON_S), record=True) > 1:
        return False
    await services.journal.write(
        services.journal.line(
            Facts(**{name: line[name] for name in _SHARED}),
            "outcome",
            "error",
            reason=line["trigger_reason"],
            proof=line["proof"],
            detail="store_lost",
        )
    )
    return True
