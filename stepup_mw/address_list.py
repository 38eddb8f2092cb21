"""Lists of addresses and networks, one a line, as block lists are handed around; asked by prefix, not line by line.

# a comment; so is what follows ; on a line (Spamhaus writes it so)
203.0.113.0/24 ; SBL1
2001:db8::1
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from .encoding import safe_text
from .errors import DataError
from .origin import parse_address

_WIDTH = {4: 32, 6: 128}


class AddressList:
    """``facts``: what a line says of it."""

    def __init__(self, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network], sha256: str = "") -> None:
        self._prefixes: dict[tuple[int, int], set[int]] = {}
        count = 0
        for count, network in enumerate(networks, 1):  # noqa: B007 - the number of the last one
            shift = _WIDTH[network.version] - network.prefixlen
            self._prefixes.setdefault((network.version, shift), set()).add(int(network.network_address) >> shift)
        self.facts: Mapping[str, Any] = {"entries": count, "sha256": sha256}
        self.contains = lru_cache(maxsize=4096)(self._contains)

    def complaint(self, now: float) -> str | None:  # noqa: ARG002 - the shape of what is watched
        """An empty list is a mistake more often than not."""
        return None if self._prefixes else "the list is empty"

    def _contains(self, ip: str) -> bool:
        parsed = parse_address(ip)
        if parsed is None:
            return False
        number = int(parsed)
        return any(
            number >> shift in found for (version, shift), found in self._prefixes.items() if version == parsed.version
        )


def parse_networks(text: str, name: str) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """DataError for a line that is none, with its number."""
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.partition("#")[0].partition(";")[0].strip()
        if not entry:
            continue
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            shown = safe_text(entry, 60)
            why = f'line {number}: found "{shown}"; allowed is an address or a network in CIDR form'
            raise DataError(name, why) from None
        yield _as_ipv4(network) if network.version == 6 else network


def _as_ipv4(network: ipaddress.IPv6Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """``::ffff:203.0.113.0/120`` is ``203.0.113.0/24``: as addresses are spelt when they are looked for."""
    mapped = network.network_address.ipv4_mapped
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
