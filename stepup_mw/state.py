"""What a store keeps, and the promise every store makes: the records, and the ``Store`` protocol.

Every method is one atomic step over all processes that share the store. A store that cannot answer raises
StoreUnavailable and has then changed nothing it would have said yes to. A store holds no decision: limits and
times come in as arguments. Losing, emptying or ageing a store never allows more than before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from .settings import AccountThrottle, AddressThrottle

ChallengeState = Literal["open", "approved", "denied", "expired", "abandoned", "locked", "error"]
SightingKind = Literal["device", "network"]

FOREVER = 2**53
"""A lock that only an unlock ends: later than any clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One authenticator of one user. ``sealed`` is the TOTP secret under AES-GCM with the user id as associated
    data; ``last_step`` the highest time step ever accepted from it, -1 for none."""

    user: str
    factor_id: str
    sealed: bytes
    created_at: float
    last_step: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSummary:
    """A row of ``stepup users``."""

    user: str
    factors: int
    recovery_codes: int
    created_at: float
    failures: int
    locked_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The answer to "may a code be compared now?". Allowed: it has been counted already, as the ``failures``-th in
    a row. Not allowed: nothing was counted, and ``locked_until`` says until when (Unix seconds).

    ``locks``: this very attempt, if its code is wrong, has begun a lock that lasts until ``locked_until``.
    """

    allowed: bool
    failures: int
    locked_until: float
    locks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One asked question. ``session`` and ``browser`` are keyed hashes ("" where there is none); ``binding`` is the
    digest of the request for a rule with ``grant = "request"``, else "". ``facts`` is the part of the audit line
    that its later lines share (JSON); ``return_to`` the sealed target a browser goes back to.

    ``logged``: the outcome line of a settled challenge is on record.
    """

    challenge_id: str
    user: str
    session: str
    browser: str
    rule: str
    rule_version: str
    binding: str
    flow_id: str
    reason: str
    facts: bytes
    created_at: float
    expires_at: float
    return_to: bytes = b""
    attempts: int = 0
    state: ChallengeState = "open"
    settled_at: float = 0.0
    logged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a passed challenge earned. ``uses_left`` is None where it may be used until it is stale.

    ``browser`` is "" for a client without cookies. ``expires_at`` is when the row may be dropped; how fresh the
    proof must be is the rule's to say, from ``proved_at``.
    """

    grant_id: str
    user: str
    session: str
    browser: str
    service: str
    scope: Literal["request", "route", "service"]
    rule: str
    rule_version: str
    binding: str
    method: str
    flow_id: str
    challenge_id: str
    proved_at: float
    expires_at: float
    uses_left: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """``known``: this user has proved themself with this value before. ``any``: with any value of its kind."""

    known: bool
    any: bool


class Store(Protocol):
    """The state that all workers share."""

    # Factors

    async def factors(self, user: str) -> tuple[Factor, ...]:
        """The user's authenticators, oldest first."""
        ...

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        """Replace all factors, recovery codes, grants, open lock and failures of ``factor.user`` by this one and
        these digests. True if there was a factor before."""
        ...

    async def remove_factors(self, user: str) -> int:
        """Remove every factor, recovery code, grant and sighting of a user; how many factors there were. The count
        of failures and a lock stay."""
        ...

    async def users(self) -> tuple[UserSummary, ...]:
        """Every user with a factor, by name."""
        ...

    async def consume_step(self, user: str, factor_id: str, step: int) -> bool:
        """Take a time step, once: true only if it is later than every step taken from this factor before."""
        ...

    async def consume_recovery(self, user: str, digest: str) -> bool:
        """Take a recovery code, once: true only if it was there."""
        ...

    async def recovery_left(self, user: str) -> int: ...

    # Throttle

    async def take_attempt(
        self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle
    ) -> Attempt:
        """Count one attempt against the account and the address before its code is compared.

        Refused while the account is locked, or when the address has ``limit.failures`` within ``limit.window_s``.
        The ``failures``-th attempt in a row (and every multiple) begins a lock of
        ``lock_s * grow ** (multiple - 1)`` seconds, at most ``max_lock_s``; the ``ceiling``-th locks FOREVER.
        """
        ...

    async def forgive(self, user: str, address: str) -> None:
        """A right code: the user's failures in a row and lock are gone, and this attempt of the address."""
        ...

    async def failures(self, user: str) -> tuple[int, float]:
        """Wrong codes in a row, and until when the account is locked (0.0: it is not)."""
        ...

    async def unlock(self, user: str) -> bool:
        """Clear failures and lock; true if there was anything to clear."""
        ...

    # Challenges

    async def open_challenge(self, challenge: Challenge, *, keep: int) -> tuple[Challenge, ...]:
        """Keep an open challenge. A user has at most ``keep`` open: the oldest beyond are settled as ``abandoned``
        and given back, for their outcome lines."""
        ...

    async def challenge(self, challenge_id: str) -> Challenge | None: ...

    async def latest_challenge(
        self, user: str, session: str, rule: str, binding: str, *, now: float
    ) -> Challenge | None:
        """The newest challenge that is open and not expired for exactly these."""
        ...

    async def count_attempt(self, challenge_id: str, *, limit: int) -> int | None:
        """Count one attempt of an open challenge and say which it is, from 1. None if the challenge is not open or
        has had ``limit`` already."""
        ...

    async def settle_challenge(self, challenge_id: str, state: ChallengeState, *, now: float) -> bool:
        """Move an open challenge to its one end. True for exactly one caller, ever."""
        ...

    async def mark_logged(self, challenge_id: str) -> None:
        """The outcome line is on record."""
        ...

    async def due_challenges(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        """Settle open challenges past ``expires_at`` (``expired`` if anything was ever tried, else ``abandoned``)
        and give them back; with them those settled more than ``grace_s`` ago and never logged (their writer died).
        Each is given to one caller: a second call within ``grace_s`` does not give it again. Settled, logged ones
        long past are dropped."""
        ...

    # Grants

    async def put_grant(self, grant: Grant, *, keep: int) -> None:
        """Keep a grant; a user has at most ``keep``, the oldest beyond go. Expired ones go too."""
        ...

    async def grant(self, grant_id: str) -> Grant | None: ...

    async def use_grant(self, grant_id: str) -> bool:
        """Take one use of a grant with ``uses_left``: true only if there was one."""
        ...

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        """The user's grants that have not expired, newest first."""
        ...

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        """Drop one grant of a user, or all; how many there were."""
        ...

    # What signals remember

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting: ...

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        """The user has proved themself with this value; at most ``keep`` values a user and kind, the oldest go."""
        ...

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        """How many hits ``key`` had in the last ``window_s`` seconds, this one included. ``record = False`` counts
        this one without keeping it."""
        ...

    # Life

    async def aclose(self) -> None: ...
