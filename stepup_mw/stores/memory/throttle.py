"""Failures, locks and the attempts of addresses, in memory. Not safe for threads: the store holds the lock."""

from __future__ import annotations

from ...settings import AccountThrottle, AddressThrottle
from ...state import Attempt
from ..bounds import address_full_until, lock_until
from .hits import Hits


class Throttle:
    """Accounts are never dropped but by a right code or an unlock: a forgotten failure would be one more guess."""

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[int, float]] = {}
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
        return Attempt(allowed=True, failures=failures, locked_until=locked_until, locks=locked_until > 0)

    def forgive(self, user: str, address: str) -> None:
        self.clear(user)
        self._addresses.take_back(address)

    def failures(self, user: str) -> tuple[int, float]:
        return self._accounts.get(user, (0, 0.0))

    def clear(self, user: str) -> bool:
        return self._accounts.pop(user, None) is not None
