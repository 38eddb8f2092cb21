"""The records a store keeps and gives back, each a frozen value. What a store promises about them is in ``state``.

Those of many fields are named tuples, for they are read for every request or code; to make one takes a third of the
time that a frozen dataclass of as many fields does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .passkeys import PREFIX

ChallengeState = Literal["open", "approved", "denied", "expired", "abandoned", "locked", "error"]
SightingKind = Literal["device", "network", "asn", "country"]
FactorKind = Literal["totp", "passkey"]

FOREVER = 2**53
"""A lock that only an unlock ends: later than any clock."""


class Factor(NamedTuple):
    """One authenticator of one user. ``sealed`` is the TOTP secret, or the passkey, under AES-GCM with the user id as
    associated data; ``last_step`` the highest time step ever accepted from it, -1 for none. ``drift``: by how many
    steps its clock was off when it was last right; ``label``: its owner's name for it."""

    user: str
    factor_id: str
    sealed: bytes
    created_at: float
    last_step: int = -1
    label: str = ""
    drift: int = 0

    @property
    def kind(self) -> FactorKind:
        """What it is, and what its secret is sealed as: the id says so."""
        return "passkey" if self.factor_id.startswith(PREFIX) else "totp"

    def proves(self, kinds: Collection[FactorKind]) -> bool:
        """Whether a proof of one of these kinds can be made with it: one without a secret proves nothing."""
        return bool(self.sealed) and self.kind in kinds


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


class Challenge(NamedTuple):
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


class Grant(NamedTuple):
    """What a passed challenge earned. ``uses_left`` is None where it may be used until it is stale.

    ``browser`` is "" for a client without cookies. ``service``: where it was earned and, behind blanks, the services
    that it is shared with. ``expires_at`` is when the row may be dropped; how fresh the
    proof must be is the rule's to say, from ``proved_at``. ``epoch``: the user's when the code was judged.
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
    epoch: int = 0
    uses_left: int | None = None


class Carried(NamedTuple):
    """The token of a grant, as a request carries it. ``portable``: of the kind that is made for clients without
    cookies, and counts in whatever browser."""

    grant_id: str
    portable: bool


class Terms(NamedTuple):
    """What a grant must be for one use of it to be taken: of this user, session, service, scope, rule, version and
    binding; earned in ``browser`` ("" for none) or in none, where its token is not portable; by one of ``methods``;
    ``-leeway_s <= now - proved_at < max_age_s``, and not expired."""

    user: str
    session: str
    browser: str
    service: str
    scope: Literal["request", "route", "service"]
    rule: str
    rule_version: str
    binding: str
    methods: tuple[str, ...]
    now: float
    max_age_s: float
    leeway_s: float

    def take(self, grant: Grant, *, portable: bool) -> bool:
        """Whether ``grant`` is that, and has a use left."""
        return (
            grant.uses_left is not None
            and grant.uses_left > 0
            and (grant.user, grant.session) == (self.user, self.session)
            and grant[4:9] == self[3:8]  # service, scope, rule, version, binding
            and (portable or grant.browser in ("", self.browser))
            and grant.method in self.methods
            and -self.leeway_s <= self.now - grant.proved_at < self.max_age_s
            and self.now < grant.expires_at
        )


class Shown(NamedTuple):
    """What a store knows of what a request shows. ``known``: its user has proved themself with its device before.
    ``grants``: those of its tokens, in their order, None for one that is not there; ``taken``: the one of them of which
    a use was taken, as it is since."""

    known: bool
    grants: tuple[Grant | None, ...]
    taken: Grant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A request that waits for a code, sealed by the service. ``kept_id`` is the challenge's."""

    kept_id: str
    user: str
    sealed: bytes
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """``known``: this user has proved themself with this value before. ``any``: with any value of its kind."""

    known: bool
    any: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a user last proved themself, sealed by the service, and when (Unix seconds)."""

    sealed: bytes
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The store lost what it knew: ``found`` is what stood in its place, ``found_at`` when that was noticed."""

    found_at: float
    found: Literal["older", "other", "empty", "evicted"]
