"""What follows a right code in the store, in one step, once its outcome is on record: its grant, the count that begins
anew, where it came from, what waited for it. Nothing here decides.
"""

from __future__ import annotations

import logging

from ..errors import StoreUnavailable
from ..state import Earned, Given, Grant
from .grants import KEEP
from .services import Services
from .told import seen_from, tell_of_proof
from .trial import Attempting, Trial
from .whereabouts import KEEP_SIGHTINGS, throttled, traces_of

_log = logging.getLogger("stepup_mw")


async def reward(
    services: Services, attempting: Attempting, trial: Trial, *, grant: Grant | None = None, kept: bool = False
) -> Given:
    """``kept``: a request waits for the code, and is taken. StoreUnavailable: nobody knows whether it was done."""
    person, where = attempting.person, attempting.where
    traces = traces_of(services, person.user, where)
    earned = Earned(
        user=person.user,
        challenge_id=trial.challenge.challenge_id,
        at=attempting.now,
        address=throttled(services, where.address),
        grant=grant,
        device=person.device,
        seen=traces.seen,
        place=traces.place,
        kept=kept,
    )
    given = await services.store.reward(earned, keep_grants=KEEP, keep_seen=KEEP_SIGHTINGS)
    await _tell(services, attempting, trial, given)
    return given


async def _tell(services: Services, attempting: Attempting, trial: Trial, given: Given) -> None:
    seen = seen_from(attempting.where.address, attempting.request)
    try:
        await tell_of_proof(services, attempting.person, trial.method, seen, given.device)
    except StoreUnavailable as error:
        _log.warning("the owner of a recovery code is not told that it was used: %s", error)


async def note(services: Services, attempting: Attempting, trial: Trial) -> None:
    """For a code that opens nothing but what has been let through already: where the store fails, the count stays."""
    try:
        await reward(services, attempting, trial)
    except StoreUnavailable as error:
        _log.warning("a right code has not reset the count of failures: %s", error)
