"""Failures, locks and the attempts of addresses, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from ...settings import AccountThrottle, AddressThrottle
from ...state import Attempt
from ..bounds import address_full_until, lock_until
from ..runs import Run, interrupt, look, succeed
from .hits import Hits


class Throttle:
    """Accounts are never dropped but by a right code or an unlock: a forgotten failure would be one more guess."""

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[int, float]] = {}
        self._runs: dict[str, Run] = {}
        self._addresses = Hits()

    def take(self, user: str, address: str, *, now: float, account: AccountThrottle, limit: AddressThrottle) -> Attempt:
        failures, locked_until = self.failures(user)
        if locked_until > now:
            return Attempt(allowed=False, failures=failures, locked_until=locked_until)
        if address:
            times = self._addresses.since(address, now - limit.window_s)
            full_until = address_full_until(times, now=now, limit=limit)
            if full_until:
                return Attempt(allowed=False, failures=failures, locked_until=full_until)
            self._addresses.add(address, now=now, window_s=limit.window_s)
        failures += 1
        locked_until = lock_until(failures, now=now, account=account)
        self._accounts[user] = (failures, locked_until)
        if user in self._runs:
            self._runs[user] = interrupt(self._runs[user])
        return Attempt(allowed=True, failures=failures, locked_until=locked_until, locks=locked_until > 0)

    def forgive(self, user: str, address: str) -> None:
        self.clear(user)
        self._addresses.take_back(address)

    def failures(self, user: str) -> tuple[int, float]:
        return self._accounts.get(user, (0, 0.0))

    def clear(self, user: str) -> bool:
        self._runs.pop(user, None)
        return self._accounts.pop(user, None) is not None

    def look(self, user: str, slot: int) -> bool:
        found = look(self._runs.get(user, Run()), slot) if user in self._accounts else None
        if found is not None:
            self._runs[user] = found
        return found is not None

    def succeed(self, user: str, step: int, *, now: float, needed: int, within_s: int) -> int:
        if user not in self._runs:
            return 0
        self._runs[user], count = succeed(self._runs[user], step, now=now, needed=needed, within_s=within_s)
        return count
