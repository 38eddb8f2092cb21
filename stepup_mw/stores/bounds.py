"""How much a store keeps, and the arithmetic of locks: one spelling, so that no two stores can differ.

Pure functions of values. Nothing here counts or remembers.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..settings import AccountThrottle, AddressThrottle
from ..state import FOREVER

SETTLED_KEPT_S = 3600
"""How long a settled, logged challenge still answers "it has ended" before it is dropped."""

SETTLED_KEPT = 64
"""Settled, logged challenges of one user: beyond that those that ended first are dropped before their time."""

HITS_KEPT = 10_000
"""Hits of one key: beyond that the oldest go, and a count stays at this."""

KEYS_KEPT = 100_000
"""Keys with hits that the memory store holds: beyond that those that end first go."""


def lock_until(failures: int, *, now: float, account: AccountThrottle) -> float:
    """Until when the ``failures``-th wrong code in a row locks the account; 0.0 where it begins no lock."""
    if failures >= account.ceiling:
        return float(FOREVER)
    multiple, rest = divmod(failures, max(account.failures, 1))
    if rest:
        return 0.0
    try:
        lock_s = account.lock_s * account.grow ** (multiple - 1)
    except OverflowError:
        lock_s = account.max_lock_s
    return now + min(lock_s, account.max_lock_s)


def address_full_until(times: Sequence[float], *, now: float, limit: AddressThrottle) -> float:
    """When an address may try again, from its attempts inside the window, oldest first; 0.0: now."""
    over = len(times) - limit.failures
    if over < 0:
        return 0.0
    return (times[over] if over < len(times) else now) + limit.window_s
