"""Where a request comes from: addresses and networks in their one spelling, and which browser it is.

How the client's address is found behind proxies stands in ``forwarding``.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from functools import lru_cache

from .messages import Request

_MAX_ADDRESS = 64
"""Characters. Nothing longer is an address, nor kept by a cache."""
MAX_AGENT = 512
"""Characters of a user agent that are looked at."""
_VERSION = re.compile(r"/[0-9][0-9A-Za-z.+_-]*|\(.*?\)")


class Networks:
    """A set of addresses and networks in CIDR form."""

    def __init__(self, entries: Sequence[str]) -> None:
        self._by_mask: dict[int, dict[int, set[int]]] = {4: {}, 16: {}}
        for network in (ipaddress.ip_network(entry, strict=False) for entry in entries):
            of_family = self._by_mask[len(network.network_address.packed)]
            of_family.setdefault(int(network.netmask), set()).add(int(network.network_address))
        self._find = lru_cache(maxsize=1024)(self._look)  # proxies are few

    def contain(self, address: str | None) -> bool:
        """Whether the address lies in one of them; False for None and for what is no address."""
        return address is not None and len(address) <= _MAX_ADDRESS and self._find(address)

    def _look(self, address: str) -> bool:
        spelt = canonical(address)
        if spelt is None:
            return False
        packed = _pack(spelt)
        number = int.from_bytes(packed)
        return any(number & mask in networks for mask, networks in self._by_mask[len(packed)].items())


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
    if text is None or len(text) > _MAX_ADDRESS or "%" in text:
        return None
    try:
        spelt = _unpack(_pack(text))
    except (OSError, ValueError):
        return None
    if "." not in spelt or (spelt == text and ":" not in text):
        return spelt
    parsed = parse_address(text)  # what the system reads or writes in a way of its own, IPv4-mapped ones above all
    return str(parsed) if parsed is not None else None


def _pack(address: str) -> bytes:
    """Four bytes or sixteen. OSError or ValueError for what is no address. A tenth of the time of ``ipaddress``."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _unpack(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def network_of(ip: str | None) -> str:
    """The network a person usually stays in: the /24 of an IPv4, the /48 of an IPv6 address, "" for none."""
    return _network(ip) if ip is not None and len(ip) <= _MAX_ADDRESS else ""


@lru_cache(maxsize=4096)
def _network(ip: str) -> str:
    spelt = canonical(ip)
    if spelt is None:
        return ""
    if ":" not in spelt:
        return spelt[: spelt.rindex(".")] + ".0/24"
    return _unpack(_pack(spelt)[:6] + bytes(10)) + "/48"


def line_of(ip: str | None) -> str:
    """What one subscriber's line has, and whoever sits there may choose from: an IPv4 address, the /64 of an IPv6
    address; "" for none."""
    spelt = canonical(ip)
    if spelt is None or ":" not in spelt:
        return spelt or ""
    return _unpack(_pack(spelt)[:8] + bytes(8)) + "/64"


def truncated(ip: str | None) -> tuple[str | None, int | None]:
    """An address without the part that tells one subscriber from the next, and the bits that are left: 24 of an IPv4,
    48 of an IPv6 address. Both None for what is no address."""
    address, _, bits = network_of(ip).partition("/")
    return (address, int(bits)) if bits else (None, None)


def coarse_user_agent(text: str) -> str:
    """A user agent without versions and platform details, so that an update is not a new device."""
    return " ".join(_VERSION.sub("", text[:MAX_AGENT]).split())


_HINTS = (b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform")
"""Those that a browser sends unasked (User-Agent Client Hints, section 3); others come and go with the app's wishes."""
_BRAND = re.compile(r'"((?:[^"\\]|\\.){0,64})"\s*;\s*v=')
_MAX_HINT = 512


def client_hints(request: Request) -> tuple[bytes, ...]:
    """What a browser says of itself: brands, mobile or not, platform. Empty where it says nothing."""
    if not request.has_any(_HINTS):
        return ()
    hints = tuple([(request.header(name) or b"")[:_MAX_HINT] for name in _HINTS])
    return hints if any(hints) else ()


def coarse_client_hints(hints: tuple[bytes, ...]) -> str:
    """The brands, without versions and without the one that is made up to keep readers honest; mobile or not; and the
    platform. "" where none was sent."""
    if not hints:
        return ""
    brands, mobile, platform = [hint.decode("latin-1") for hint in hints]
    named = sorted(brand for brand in _BRAND.findall(brands) if not _is_made_up(brand))
    return "\0" + "\0".join([",".join(named), mobile.strip(), platform.strip()])


def _is_made_up(brand: str) -> bool:
    """``Not?A_Brand`` and its like: letters that stay, with other signs between them each time."""
    return "".join(filter(str.isalpha, brand)).casefold() == "notabrand"
