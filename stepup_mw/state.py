"""The promise every store makes: the ``Store`` protocol. The records it keeps stand in ``records``.

Every method is one atomic step over all processes that share the store. A store that cannot answer raises
StoreUnavailable and has then changed nothing it would have said yes to. A store holds no decision: limits and
times come in as arguments. Losing, emptying or ageing a store never allows more than before.

Epochs. A user's grants live in the user's current epoch, a number drawn at random (``draw_epoch``) when it is first
asked for. Whatever voids the grants of a user ends the epoch in the same step, by forgetting the number; the next one
asked for is drawn anew. So a lost, flushed or evicted epoch is an ended one, no epoch ever comes back by counting,
and a user nobody asks about takes no room. A code is judged in the epoch read before it; a grant for it that arrives
after that epoch has ended is not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from .code_steps import CodeSteps, Earned, Given, Guess, Right, Taken, Tried
from .records import (
    FOREVER,
    Attempt,
    Carried,
    Challenge,
    ChallengeState,
    Factor,
    FactorKind,
    Grant,
    Kept,
    Loss,
    Place,
    Shown,
    Sighting,
    SightingKind,
    Terms,
    UserSummary,
)
from .settings import AccountThrottle, AddressThrottle

__all__ = [
    "FOREVER",
    "MAX_FACTORS",
    "Attempt",
    "Carried",
    "Challenge",
    "ChallengeState",
    "Earned",
    "Factor",
    "FactorKind",
    "Given",
    "Grant",
    "Guess",
    "Kept",
    "Loss",
    "Place",
    "Right",
    "Shown",
    "Sighting",
    "SightingKind",
    "Store",
    "Taken",
    "Terms",
    "Tried",
    "UserSummary",
]

MAX_FACTORS = 10
"""Authenticators of one user."""


class Store(CodeSteps, Protocol):
    """The state that all workers share. What is asked about a code for a challenge stands in ``code_steps``."""

    # Factors

    async def factors(self, user: str) -> tuple[Factor, ...]:
        """The user's authenticators, oldest first."""
        ...

    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        """Replace all factors, recovery codes, grants, open lock and failures of ``factor.user`` by this one and
        these digests, and end the user's epoch. True if there was a factor before."""
        ...

    async def add_factor(self, factor: Factor, *, keep: int = MAX_FACTORS) -> bool:
        """One more factor beside those ``factor.user`` has; grants go and the epoch ends, all else stays. False, and
        nothing is changed, where one of this id is there or the user has ``keep``."""
        ...

    async def remove_factor(self, user: str, factor_id: str) -> bool:
        """Remove one factor; grants go and the epoch ends, all else stays (recovery codes too, also with the last
        factor). False, and nothing is changed, where there is no such factor."""
        ...

    async def remove_factors(self, user: str) -> int:
        """Remove every factor, recovery code, grant, sighting and place of a user and end the epoch; how many factors
        there were. The count of failures and a lock stay."""
        ...

    async def users(self) -> tuple[UserSummary, ...]:
        """Every user with a factor, by name."""
        ...

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        """Take a time step, once: true only if it is later than every step taken from this factor before. The
        factor's ``drift`` becomes this one, together with the step or not at all."""
        ...

    async def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        """Put ``sealed`` in the place of a factor's secret: true only where ``expected`` stands there now. It is the
        same secret under another key: grants, steps and the epoch stay."""
        ...

    async def put_recovery(self, user: str, digests: Sequence[str]) -> None:
        """Replace all recovery codes of a user by these, none for none; nothing else changes."""
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
        """Clear failures, lock and the run of spaced codes; true if there were failures or a lock to clear."""
        ...

    async def spaced_attempt(self, user: str, slot: int) -> bool:
        """May the code of a locked account be looked at in time step ``slot``? True once a slot, and for later slots
        only: counted before the comparison. One that no ``spaced_success`` followed ends the run: it was wrong, or
        nobody knows."""
        ...

    async def spaced_success(self, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
        """After ``spaced_attempt``: how many right codes in a row, of later and later steps and all within
        ``within_s`` seconds, this one makes. ``needed`` is given once, and ends the run. ``step`` -1 (a wrong code),
        or one not later than the last of the run: 0, and the run has ended. 0 too where no attempt is open."""
        ...

    # Challenges

    async def open_challenge(
        self, challenge: Challenge, *, keep: int, kinds: Collection[FactorKind] | None = None
    ) -> tuple[Challenge, ...] | None:
        """Keep an open challenge. A user has at most ``keep`` open: the oldest beyond are settled as ``abandoned``
        and given back, for their outcome lines. Of the settled and logged ones a bounded number stays.

        ``kinds``: only where the user has an authenticator with a secret of one of these; else None, and nothing is
        changed."""
        ...

    async def challenge(self, challenge_id: str) -> Challenge | None: ...

    async def latest_challenge(
        self, user: str, session: str, rule: str, binding: str, *, now: float
    ) -> Challenge | None:
        """The newest challenge that is open and not expired for exactly these."""
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

    # Requests kept for after the code

    async def keep_request(self, kept: Kept, *, now: float, limit: int) -> None:
        """Keep a request until its end, in the place of one of its id. A user has at most ``limit``: the oldest go."""
        ...

    async def kept_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        """A request of this user's that is there and not past its end. Takes nothing."""
        ...

    async def take_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        """As ``kept_request``, and it is gone: given to exactly one caller, ever."""
        ...

    # Grants

    async def epoch(self, user: str) -> int:
        """The user's epoch, 1 to 2**53 - 1; drawn and kept where there is none."""
        ...

    async def raise_epoch(self, user: str) -> int:
        """End the user's epoch, void every grant, and begin a new epoch: which it is."""
        ...

    async def grant(self, grant_id: str) -> Grant | None:
        """The grant, if its epoch is the user's."""
        ...

    async def shown(self, user: str, device: str, grant_ids: Sequence[str]) -> Shown:
        """All that a request of ``user`` shows, looked up at once: whether ``device`` is known as ``sighting`` says it,
        False for "", and each grant as ``grant`` gives it, whosever it is."""
        ...

    async def use_grant(self, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
        """As ``shown``, and one use is taken, of the first of these grants that is what ``terms`` say: ``terms.take``
        and the epoch of its user are asked in the step that takes it. No other loses a use."""
        ...

    async def grants(self, user: str, *, now: float) -> tuple[Grant, ...]:
        """The user's grants of the current epoch that have not expired, newest first."""
        ...

    async def revoke_grants(self, user: str, grant_id: str | None = None) -> int:
        """Drop one grant of a user, or all and end the epoch; how many live ones there were."""
        ...

    # What signals remember

    async def sighting(self, user: str, kind: SightingKind, value: str) -> Sighting: ...

    async def forget_sighting(self, user: str, kind: SightingKind, value: str) -> bool:
        """The value counts as never seen; true if it was."""
        ...

    async def remember(self, user: str, kind: SightingKind, value: str, *, now: float, keep: int) -> None:
        """The user has proved themself with this value; at most ``keep`` values a user and kind, the oldest go."""
        ...

    async def place(self, user: str) -> Place | None:
        """The place that was put last."""
        ...

    async def put_place(self, user: str, sealed: bytes, *, now: float) -> None:
        """The user has proved themself there; it takes the place of the one before."""
        ...

    async def hits(self, key: str, *, now: float, window_s: int, record: bool) -> int:
        """How many hits ``key`` had in the last ``window_s`` seconds, this one included. ``record = False`` counts
        this one without keeping it."""
        ...

    # What was lost. A store that remembers nothing outside of itself answers None, False and False, and must say to
    # those who use it what that means: see ``stepup_mw.testing.losses``, which holds all others to what follows.

    async def loss(self) -> Loss | None:
        """Whether the store stands where an older copy of it, another store or an empty one was found, and nobody has
        seen to that yet. The housekeeping asks every second: where there is something outside of the store by which a
        loss can be known, it is compared here, too. What was lost allows nothing: see ``stores.lives``."""
        ...

    async def accept_loss(self) -> bool:
        """An operator has seen to the loss: who has no factor now never had one. True if there was a loss."""
        ...

    async def missed(self, user: str) -> bool:
        """Whether ``user``, who has no factor now, may have had one that was lost and not removed."""
        ...

    # Life

    async def aclose(self) -> None: ...
