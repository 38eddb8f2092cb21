"""What a store has lost, put on record: ``alert/store_lost``, once a process for each loss, until somebody sees to it.

What a loss means for requests is the store's to do (nothing in it is good once more) and ``may_begin``'s: who may have
had an authenticator is not treated as somebody who never had one.
"""

from __future__ import annotations

import logging

from ..encoding import format_instant
from .services import Services

_log = logging.getLogger("stepup_mw")

_WORDS = {
    "older": "an older copy of itself stands in its place",
    "other": "another store stands in its place",
    "empty": "it is empty",
}


class Losses:
    """``_told``: when the loss was found that is on record."""

    def __init__(self) -> None:
        self._told = 0.0

    async def tell(self, services: Services) -> None:
        """StoreUnavailable or TrailUnavailable: it is told at the next call."""
        loss = await services.store.loss()
        if loss is None or loss.found_at == self._told:
            return
        detail = {"found": loss.found, "found_at": format_instant(loss.found_at)}
        await services.journal.write(services.journal.notice("alert", "store_lost", detail=detail))
        self._told = loss.found_at
        _log.error(
            "the store lost what it knew: %s. Grants and recovery codes are void, each account has one guess, and "
            "nobody enrolls by themself until `stepup store accept`",
            _WORDS[loss.found],
        )


async def is_missed(services: Services, user: str) -> bool:
    """Whether a user without an authenticator may have had one that was lost; asked where it opens a way."""
    return services.settings.challenge.enroll != "admin" and await services.store.missed(user)
