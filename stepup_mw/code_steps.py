"""What a store is asked about a code for a challenge: three steps of the ``Store`` protocol, in this order, and the
records that they take and give.

May it be tried? It is counted first. Is it taken? Asked once the code has been compared with what the user has, and
found right. Then what follows; asked once the outcome is on record. Whatever dies in between has allowed nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .records import Attempt, Factor, Grant, Kept, Sighting, SightingKind
from .settings import AccountThrottle, AddressThrottle


class Guess(NamedTuple):
    """A code for a challenge of a user's, not compared yet. ``address``: where it comes from, "" where that is not
    known. ``now``: Unix seconds. ``attempts``: the most that the challenge has."""

    challenge_id: str
    user: str
    address: str
    now: float
    attempts: int
    account: AccountThrottle
    limit: AddressThrottle


class Tried(NamedTuple):
    """The answer to "may a code for this challenge be compared now?". Yes where ``attempt`` is allowed and ``number``
    says which attempt of the challenge it is, from 1; None: the challenge has ended, or had all of its attempts. Then
    ``epoch`` is the user's, and ``factors`` what they have, oldest first."""

    attempt: Attempt
    number: int | None = None
    epoch: int = 0
    factors: tuple[Factor, ...] = ()


class Right(NamedTuple):
    """A TOTP code that was compared and found right, and is not taken yet: of whose authenticator, for which time step,
    and by how many steps its clock is off. ``told``: the key of hits that says that the code was recognised before its
    time, in the last ``told_s`` seconds. ``challenge_id``: of the user's challenge that it is for, "" for none. ``at``:
    when it was judged, Unix seconds."""

    user: str
    factor_id: str
    step: int
    drift: int
    told: str
    told_s: int
    challenge_id: str
    at: float


class Taken(NamedTuple):
    """The answer to "is this code taken?". ``settled``: its challenge has ended with it, approved."""

    taken: bool
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What follows a right code, its outcome on record. ``at``: when it was judged, Unix seconds.

    address: whose attempt is given back, "" for none. grant: to be kept, None for none. device, seen and place: with
    what the user has proved themself, "" for no device, nothing for no place (sealed by the service). kept: a request
    waits for the code.
    """

    user: str
    challenge_id: str
    at: float
    address: str = ""
    grant: Grant | None = None
    device: str = ""
    seen: tuple[tuple[SightingKind, str], ...] = ()
    place: bytes = b""
    kept: bool = False


class Given(NamedTuple):
    """What came of it. ``granted``: the grant is kept. ``epoch``: the user's now, 0 where there is none. ``device``: as
    it was known before. ``kept``: the request that waited, which is the caller's now."""

    granted: bool
    epoch: int
    device: Sighting
    kept: Kept | None = None


class CodeSteps(Protocol):
    """Each is one atomic step, as every method of a store is."""

    async def try_challenge(self, guess: Guess) -> Tried:
        """As ``take_attempt``; and where that is allowed, count one attempt of the user's open challenge, and give what
        the code is to be compared with and the epoch it is judged in (drawn and kept where there is none). Where it is
        refused, the challenge counts nothing."""
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
