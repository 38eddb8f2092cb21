"""What a store is asked about a code for a challenge: three steps of the ``Store`` protocol, in this order.

May it be tried? It is counted first. Is it taken? Asked once the code has been compared with what the user has, and
found right. Then what follows; asked once the outcome is on record. Whatever dies in between has allowed nothing.
"""

from __future__ import annotations

from typing import Protocol

from .records import Earned, Given, Right, Taken, Tried
from .settings import AccountThrottle, AddressThrottle


class CodeSteps(Protocol):
    """Each is one atomic step, as every method of a store is."""

    async def try_challenge(
        self,
        challenge_id: str,
        user: str,
        address: str,
        *,
        now: float,
        attempts: int,
        account: AccountThrottle,
        limit: AddressThrottle,
    ) -> Tried:
        """As ``take_attempt``; and where that is allowed, count one attempt of the user's open challenge, which has
        ``attempts`` at most, and give what the code is to be compared with and the epoch it is judged in (drawn and
        kept where there is none). Where it is refused, the challenge counts nothing."""
        ...

    async def take_code(self, right: Right) -> Taken:
        """Take the time step of a right code, once, whichever authenticator it came from: only if that one is the
        user's still, and the step is later than every one taken from any of the user's. It becomes the last of all of
        them, and the drift that authenticator's. Not taken where ``told`` had a hit in the last ``told_s`` seconds.

        With a step that is taken, the user's challenge is settled as approved if it is open; one that has ended gives
        nothing back of the step."""
        ...

    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        """What follows a right code. The grant is kept where its epoch is the user's now; the user's oldest beyond
        ``keep_grants`` go, and expired ones. All else in any case: as ``forgive``; as ``remember`` for the device and
        each value, ``put_place`` for the place; as ``mark_logged``; as ``take_request`` for what was kept with the
        challenge. StoreUnavailable, and nothing is changed: there is a grant of this id."""
        ...
