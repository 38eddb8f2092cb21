"""An address that stands on a list of yours: an exit of Tor, a hosting network, a block list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..address_list import AddressList
from ..state import Store
from . import Finding, Subject


class Listed(Protocol):
    """A list that may be replaced at any time, and its name."""

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> AddressList: ...


class OnAddressList:
    name = "address_list"

    def __init__(self, points: int, *, lists: Sequence[Listed]) -> None:
        self.points = points
        self._lists = tuple(lists)

    async def measure(self, subject: Subject, store: Store) -> Finding:  # noqa: ARG002 - one shape for all signals
        ip = subject.sure_ip()
        for each in self._lists:
            if ip is not None and each.value.contains(ip):
                return Finding(self.points, "{} stands on {}", (ip, each.name))
        return Finding(0, "{} stands on none of {}", (ip or "no address", ", ".join(each.name for each in self._lists)))
