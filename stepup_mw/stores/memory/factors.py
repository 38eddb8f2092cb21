"""Factors and recovery codes, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...state import Factor


class Factors:
    """One user has one factor at most: a new one takes the place of all."""

    def __init__(self) -> None:
        self._factors: dict[str, tuple[Factor, ...]] = {}
        self._recovery: dict[str, set[str]] = {}

    def of(self, user: str) -> tuple[Factor, ...]:
        return self._factors.get(user, ())

    def put(self, factor: Factor, recovery: Sequence[str]) -> bool:
        before = self.of(factor.user)
        taken = max((old.last_step for old in before if old.factor_id == factor.factor_id), default=-1)
        self._factors[factor.user] = (replace(factor, last_step=max(factor.last_step, taken)),)
        self._recovery[factor.user] = set(recovery)
        return bool(before)

    def remove(self, user: str) -> int:
        self._recovery.pop(user, None)
        return len(self._factors.pop(user, ()))

    def users(self) -> Iterator[tuple[str, int, int, float]]:
        """User, factors, recovery codes and the time of the oldest factor, by name."""
        for user in sorted(self._factors):
            factors = self._factors[user]
            yield user, len(factors), self.recovery_left(user), min(factor.created_at for factor in factors)

    def consume_step(self, user: str, factor_id: str, step: int) -> bool:
        taken = False
        factors = []
        for factor in self.of(user):
            fresh = factor.factor_id == factor_id and step > factor.last_step
            factors.append(replace(factor, last_step=step) if fresh else factor)
            taken = taken or fresh
        if taken:
            self._factors[user] = tuple(factors)
        return taken

    def consume_recovery(self, user: str, digest: str) -> bool:
        codes = self._recovery.get(user, set())
        found = digest in codes
        codes.discard(digest)
        return found

    def recovery_left(self, user: str) -> int:
        return len(self._recovery.get(user, ()))
