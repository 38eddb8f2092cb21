"""Records to try a store with. Every text in them is unlike the others, so that none can stand for another unseen."""

from __future__ import annotations

from typing import Any

from ..settings import AccountThrottle, AddressThrottle
from ..state import Attempt, Carried, Challenge, Earned, Factor, Grant, Guess, Right, Store, Terms, Tried

ACCOUNT = AccountThrottle(failures=5, lock_s=30, grow=2.0, max_lock_s=100, ceiling=23)
WIDE = AccountThrottle(failures=10**6, lock_s=30, grow=2.0, max_lock_s=100, ceiling=10**7)
"""So many attempts lock nothing."""
ADDRESS = AddressThrottle(failures=50, window_s=600)
STRANGE = "zoë\0\U0001f600 {x}:*"


def make_factor(user: str = "alice", factor_id: str = "f1", **changes: Any) -> Factor:
    return Factor(
        **{"user": user, "factor_id": factor_id, "sealed": b"\0sea\nled\xff", "created_at": 1000.25, **changes}
    )


def make_challenge(challenge_id: str = "c1", **changes: Any) -> Challenge:
    values: dict[str, Any] = {
        "challenge_id": challenge_id,
        "user": "alice",
        "session": "s1",
        "browser": "b1",
        "rule": "transfer",
        "rule_version": "v1",
        "binding": "",
        "flow_id": f"flow-{challenge_id}",
        "reason": "route_policy",
        "facts": b'{"a":1}',
        "created_at": 1000.5,
        "expires_at": 1300.5,
        "return_to": b"\0\1",
    }
    return Challenge(**{**values, **changes})


def make_grant(grant_id: str = "g1", **changes: Any) -> Grant:
    values: dict[str, Any] = {
        "grant_id": grant_id,
        "user": "alice",
        "session": "s1",
        "browser": "b1",
        "service": "bank",
        "scope": "route",
        "rule": "transfer",
        "rule_version": "v1",
        "binding": "digest",
        "method": "totp",
        "flow_id": f"flow-{grant_id}",
        "challenge_id": "c1",
        "proved_at": 1000.125,
        "expires_at": 1300.5,
    }
    return Grant(**{**values, **changes})


async def keep_grant(store: Store, grant: Grant, *, keep: int = 9) -> Grant:
    """Put a grant of the user's epoch, as the gate does; the grant as it should be kept."""
    grant = grant._replace(epoch=await store.epoch(grant.user))
    await put_grant(store, grant, keep=keep)
    return grant


async def put_grant(store: Store, grant: Grant, *, keep: int = 9) -> bool:
    """Whether a grant is kept, as what a right code has earned."""
    earned = make_earned(user=grant.user, challenge_id="", at=grant.proved_at, grant=grant)
    return (await store.reward(earned, keep_grants=keep, keep_seen=9)).granted


def make_right(step: int = 77, **changes: Any) -> Right:
    values: dict[str, Any] = {
        "user": "alice",
        "factor_id": "f1",
        "step": step,
        "drift": 1,
        "told": "told:alice",
        "told_s": 60,
        "challenge_id": "c1",
        "at": 1001.0,
    }
    return Right(**{**values, **changes})


def make_earned(**changes: Any) -> Earned:
    return Earned(**{"user": "alice", "challenge_id": "c1", "at": 1001.0, **changes})


def make_terms(**changes: Any) -> Terms:
    """What ``make_grant`` gives is that, a second after its proof."""
    values: dict[str, Any] = {
        "user": "alice",
        "session": "s1",
        "browser": "b1",
        "service": "bank",
        "scope": "route",
        "rule": "transfer",
        "rule_version": "v1",
        "binding": "digest",
        "methods": ("recovery_code", "totp"),
        "now": 1001.125,
        "max_age_s": 60.0,
        "leeway_s": 5.0,
    }
    return Terms(**{**values, **changes})


async def use(store: Store, grant_id: str = "g1", *, portable: bool = False, **changes: Any) -> bool:
    """Whether a use of one grant was taken, on the terms of ``make_terms`` with these changes."""
    terms = make_terms(**changes)
    found = await store.use_grant(terms.user, "", [Carried(grant_id, portable)], terms)
    return found.taken is not None


async def attempt(
    store: Store,
    user: str = "alice",
    address: str = "",
    *,
    now: float,
    account: AccountThrottle = ACCOUNT,
    limit: AddressThrottle = ADDRESS,
) -> Attempt:
    return await store.take_attempt(user, address, now=now, account=account, limit=limit)


async def try_challenge(
    store: Store,
    challenge_id: str = "c1",
    user: str = "alice",
    address: str = "",
    *,
    now: float = 1001.0,
    attempts: int = 9,
    account: AccountThrottle = ACCOUNT,
    limit: AddressThrottle = ADDRESS,
) -> Tried:
    return await store.try_challenge(Guess(challenge_id, user, address, now, attempts, account, limit))
