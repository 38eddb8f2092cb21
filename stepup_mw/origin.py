"""Where a request comes from: addresses and networks in their one spelling, and which browser it is.

How the client's address is found behind proxies stands in ``forwarding``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

from .messages import Request

_MAX_ADDRESS = 64
"""Characters. Nothing longer is an address, nor kept by a cache."""
_MAX_AGENT = 512
_VERSION = re.compile(r"/[0-9][0-9A-Za-z.+_-]*|\(.*?\)")


class Networks:
    """A set of addresses and networks in CIDR form."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(entry, strict=False) for entry in entries)
        self._find = lru_cache(maxsize=4096)(self._look)

    def contain(self, address: str | None) -> bool:
        """Whether the address lies in one of them; False for None and for what is no address."""
        return address is not None and len(address) <= _MAX_ADDRESS and self._find(address)

    def _look(self, address: str) -> bool:
        parsed = parse_address(address)
        if parsed is None:
            return False
        return any(parsed.version == network.version and parsed in network for network in self._networks)


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An IPv4 or IPv6 address, IPv4-mapped ones as IPv4, without a zone; None for anything else."""
    if len(text) > _MAX_ADDRESS or "%" in text:
        return None
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def canonical(text: str | None) -> str | None:
    """An address in its one spelling; None for what is none."""
    return _spelt(text) if text is not None and len(text) <= _MAX_ADDRESS else None


@lru_cache(maxsize=4096)
def _spelt(text: str) -> str | None:
    parsed = parse_address(text)
    return str(parsed) if parsed is not None else None


@lru_cache(maxsize=4096)
def network_of(ip: str | None) -> str:
    """The network a person usually stays in: the /24 of an IPv4, the /48 of an IPv6 address, "" for none."""
    parsed = parse_address(ip or "")
    if parsed is None:
        return ""
    if parsed.version == 4:
        return str(parsed).rpartition(".")[0] + ".0/24"
    return f"{ipaddress.IPv6Address(int(parsed) >> 80 << 80)}/48"


def truncated(ip: str | None) -> tuple[str | None, int | None]:
    """An address without the part that tells one subscriber from the next, and the bits that are left: 24 of an IPv4,
    48 of an IPv6 address. Both None for what is no address."""
    address, _, bits = network_of(ip).partition("/")
    return (address, int(bits)) if bits else (None, None)


def coarse_user_agent(text: str) -> str:
    """A user agent without versions and platform details, so that an update is not a new device."""
    return _coarse(text[:_MAX_AGENT])


@lru_cache(maxsize=4096)
def _coarse(text: str) -> str:
    return " ".join(_VERSION.sub("", text).split())


_HINTS = (b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform")
"""Those that a browser sends unasked (User-Agent Client Hints, section 3); others come and go with the app's wishes."""
_BRAND = re.compile(r'"((?:[^"\\]|\\.){0,64})"\s*;\s*v=')
_MAX_HINT = 512


def coarse_client_hints(request: Request) -> str:
    """The brands, without versions and without the one that is made up to keep readers honest; mobile or not; and the
    platform. "" where none was sent."""
    brands, mobile, platform = (request.header_text(name)[:_MAX_HINT] for name in _HINTS)
    return _coarse_hints(brands, mobile, platform) if brands or mobile or platform else ""


@lru_cache(maxsize=4096)
def _coarse_hints(brands: str, mobile: str, platform: str) -> str:
    named = sorted(brand for brand in _BRAND.findall(brands) if not _is_made_up(brand))
    return "\0" + "\0".join([",".join(named), mobile.strip(), platform.strip()])


def _is_made_up(brand: str) -> bool:
    """``Not?A_Brand`` and its like: letters that stay, with other signs between them each time."""
    return "".join(filter(str.isalpha, brand)).casefold() == "notabrand"
