"""Factors and recovery codes, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...state import Factor


class Factors:
    """Factors by user, oldest first, and digests of recovery codes."""

    def __init__(self) -> None:
        self._factors: dict[str, tuple[Factor, ...]] = {}
        self._recovery: dict[str, set[str]] = {}

    def of(self, user: str) -> tuple[Factor, ...]:
        return self._factors.get(user, ())

    def put(self, factor: Factor, recovery: Sequence[str]) -> bool:
        before = self.of(factor.user)
        taken = max((old.last_step for old in before if old.factor_id == factor.factor_id), default=-1)
        self._factors[factor.user] = (factor._replace(last_step=max(factor.last_step, taken)),)
        self._recovery[factor.user] = set(recovery)
        return bool(before)

    def add(self, factor: Factor, *, keep: int) -> bool:
        mine = self.of(factor.user)
        if len(mine) >= keep or any(old.factor_id == factor.factor_id for old in mine):
            return False
        self._factors[factor.user] = tuple(sorted((*mine, factor), key=lambda each: each.created_at))
        return True

    def remove_one(self, user: str, factor_id: str) -> bool:
        mine = self.of(user)
        left = tuple(factor for factor in mine if factor.factor_id != factor_id)
        self._keep(user, left)
        return len(left) < len(mine)

    def _keep(self, user: str, factors: tuple[Factor, ...]) -> None:
        if factors:
            self._factors[user] = factors
        else:
            self._factors.pop(user, None)

    def remove(self, user: str) -> int:
        self._recovery.pop(user, None)
        return len(self._factors.pop(user, ()))

    def users(self) -> Iterator[tuple[str, int, int, float]]:
        """User, factors, recovery codes and the time of the oldest factor, by name."""
        for user in sorted(self._factors):
            factors = self._factors[user]
            yield user, len(factors), self.recovery_left(user), min(factor.created_at for factor in factors)

    def consume_step(self, user: str, factor_id: str, step: int, *, drift: int) -> bool:
        held = self._find(user, factor_id)
        if held is None or step <= held.last_step:
            return False
        self._exchange(held, held._replace(last_step=step, drift=drift))
        return True

    def take_step(self, user: str, factor_id: str, step: int, *, drift: int) -> bool:
        """Of all factors of the user at once."""
        mine = self.of(user)
        if self._find(user, factor_id) is None or any(step <= factor.last_step for factor in mine):
            return False
        self._factors[user] = tuple(
            factor._replace(last_step=step, drift=drift if factor.factor_id == factor_id else factor.drift)
            for factor in mine
        )
        return True

    def replace_sealed(self, user: str, factor_id: str, sealed: bytes, *, expected: bytes) -> bool:
        held = self._find(user, factor_id)
        if held is None or held.sealed != expected:
            return False
        self._exchange(held, held._replace(sealed=sealed))
        return True

    def _find(self, user: str, factor_id: str) -> Factor | None:
        return next((factor for factor in self.of(user) if factor.factor_id == factor_id), None)

    def _exchange(self, old: Factor, new: Factor) -> None:
        self._factors[old.user] = tuple(new if factor is old else factor for factor in self.of(old.user))

    def put_recovery(self, user: str, digests: Sequence[str]) -> None:
        self._recovery.pop(user, None)
        if digests:
            self._recovery[user] = set(digests)

    def consume_recovery(self, user: str, digest: str) -> bool:
        codes = self._recovery.get(user, set())
        found = digest in codes
        codes.discard(digest)
        return found

    def recovery_left(self, user: str) -> int:
        return len(self._recovery.get(user, ()))
