"""What a store has lost, put on record: ``alert/store_lost``, once a process for each loss, until somebody sees to it.

What a loss means for requests is the store's to do (nothing in it is good once more), the signals' (nothing to compare
with is a doubt then) and of those who ask here: who may have had an authenticator is not one who never had any. They
are told that the service is unavailable, not that they have none, until they have one again or the loss is accepted.
"""

from __future__ import annotations

import logging

from ..encoding import format_instant
from ..errors import StoreLost
from .codes import is_enrolled
from .services import Services

_log = logging.getLogger("stepup_mw")

_WORDS = {
    "older": "an older copy of itself stands in its place",
    "other": "another store stands in its place",
    "empty": "it is empty",
    "evicted": "the server has evicted keys",
}
_MEANS = {
    "evicted": "Who has no authenticator gets 503 until `stepup store accept`; set maxmemory-policy to noeviction",
}
_VOID = (
    "Grants and recovery codes are void, each account has one guess, and who has no authenticator gets 503 "
    "until `stepup store accept`"
)


async def tell(services: Services) -> None:
    """StoreUnavailable or TrailUnavailable: it is told at the next call."""
    loss, lost = await services.store.loss(), services.lost
    lost.standing = loss.found_at if loss is not None else 0.0
    if loss is None or loss.found_at == lost.told:
        return
    detail = {"found": loss.found, "found_at": format_instant(loss.found_at)}
    await services.journal.write(services.journal.notice("alert", "store_lost", detail=detail))
    lost.told = loss.found_at
    _log.error("the store lost what it knew: %s. %s", _WORDS[loss.found], _MEANS.get(loss.found, _VOID))


async def is_missed(services: Services, user: str) -> bool:
    """Whether a user has no authenticator, and may have had one that was lost."""
    return not await is_enrolled(services, user) and await services.store.missed(user)


async def refuse_missed(services: Services, user: str) -> None:
    """StoreLost for them."""
    if await is_missed(services, user):
        raise StoreLost("the store lost who had an authenticator")
