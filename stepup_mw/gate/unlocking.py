"""The owner's way out of a lock: right codes in a row, one a time step, entered while the account is locked.

Nothing else hangs on these codes: they open nothing, and the answer to each is the answer of a locked account, right
or wrong. A time step has one look at most, counted before it, so a lock stays what it is to whoever guesses: three
guesses of one in a million, each to be right in its own half minute. Beyond the ceiling there is no such way.
"""

from __future__ import annotations

from .. import totp
from ..state import FOREVER
from .codes import match_step
from .services import Services
from .visit import shown_user

NEEDED = 3
"""Right codes in a row, of later and later steps."""

WITHIN_S = 600
"""From the first of them to the last."""


async def look(services: Services, user: str, code: str, *, now: float, locked_until: float) -> bytes | None:
    """Count a code of a locked account. The line to put on record before ``release``, where it was the last needed."""
    if locked_until >= FOREVER or totp.parse_code(code) is None:
        return None
    if not await services.store.spaced_attempt(user, totp.time_step(now)):
        return None
    found = await match_step(services, user, code, now)
    factor, step = found if found is not None else (None, -1)
    count = await services.store.spaced_success(user, step, now=now, needed=NEEDED, within_s=WITHIN_S)
    if count < NEEDED or factor is None:
        return None
    if not await services.store.consume_step(user, factor.factor_id, step, drift=factor.drift):
        return None
    failures, _ = await services.store.failures(user)
    detail = {"failures": failures, "by": "owner"}
    return services.journal.notice("throttle", "unlocked", user=shown_user(services, user), detail=detail)


async def release(services: Services, user: str) -> None:
    """End the lock; the line about it is on record."""
    await services.store.unlock(user)
