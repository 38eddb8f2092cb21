"""The client's address from what proxies say: ``X-Forwarded-For`` and ``Forwarded`` (RFC 7239), read right to left.

Only the socket's peer is a fact. A header is believed from trusted peers, as far as trusted proxies wrote it: up to and
with the first address that is not one of theirs. What cannot be read there, or two headers that say different things,
is doubt: the address is then the nearest one that is sure, and the doubt is part of the answer. What a client wrote
further left is never looked at, and cannot hide what a proxy wrote after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from .messages import Request
from .origin import Networks, canonical

ForwardedHeader = Literal["both", "x-forwarded-for", "forwarded"]
Source = Literal["peer", "xff", "forwarded"]

_MAX_HOPS = 32
_MAX_NODE = 128
"""Characters. Nothing longer is an address with a port."""
_MAX_VALUE = 4096
"""Characters of one value of ``Forwarded``; what stands further left, no trusted proxy wrote."""
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar of RFC 9110, section 5.6.2
_PAIR = re.compile(rf'({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.){{0,256}}+)")[ \t]*(?=[;,]|\Z)', re.ASCII | re.DOTALL)
_GAP = re.compile(r"[ \t;]*")
_EMPTY = re.compile(r"[ \t;,]*")
_CACHED = 512
"""Bytes of headers; what is longer is read anew each time."""
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NODE = re.compile(r"(?:([0-9.]+)|\[([0-9A-Fa-f:.]+)\])(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """``why``: ``unreadable`` (what a trusted proxy wrote is no address) or ``disagreement``; beside it the address
    that each header leads to, None for none."""

    why: Literal["unreadable", "disagreement"]
    xff: str | None = None
    forwarded: str | None = None


class Address(NamedTuple):
    """``source`` says how ``ip`` was derived: the socket's peer, or a header of trusted proxies. In doubt it is the
    nearest address that is sure, and not the client's."""

    ip: str | None
    source: Source
    doubt: Doubt | None = None


class _Walk(NamedTuple):
    """Where one header leads: None where it names nobody. ``broken``: it goes on, and cannot be read."""

    ip: str | None
    broken: bool


def client_address(
    peer: str | None,
    forwarded_for: Sequence[str],
    trusted: Networks,
    forwarded: Sequence[str] = (),
) -> Address:
    """The client's address: ``forwarded_for`` and ``forwarded`` hold the values of the two headers, in order."""
    if not (forwarded_for or forwarded) or not trusted.contain(peer):
        return Address(ip=canonical(peer), source="peer")
    by_xff = _walk([_read_hop(hop) for hop in _hops(forwarded_for)], trusted)
    by_forwarded = _walk(read_forwarded(forwarded)[-_MAX_HOPS:], trusted) if forwarded else _NOBODY
    if by_forwarded == _NOBODY:
        return _alone("xff", by_xff, peer)
    if by_xff in (_NOBODY, by_forwarded):
        return _alone("forwarded", by_forwarded, peer)
    why: Literal["unreadable", "disagreement"]
    why = "unreadable" if by_xff.broken or by_forwarded.broken else "disagreement"
    return Address(ip=canonical(peer), source="peer", doubt=Doubt(why=why, xff=by_xff.ip, forwarded=by_forwarded.ip))


class Clients:
    """Who is at the other end of a request: the trusted proxies, and which of the two headers they write."""

    def __init__(self, trusted: Networks, header: ForwardedHeader = "both") -> None:
        self._trusted = trusted
        self._reads_xff = header != "forwarded"
        self._reads_forwarded = header != "x-forwarded-for"
        self._reads = ((b"x-forwarded-for",) * self._reads_xff) + ((b"forwarded",) * self._reads_forwarded)
        self._cached = lru_cache(maxsize=2048)(self._find)

    def of(self, request: Request) -> Address:
        if not request.has_any(self._reads):
            return self._cached(request.peer, (), ())
        xff = request.header_values(b"x-forwarded-for") if self._reads_xff else ()
        forwarded = request.header_values(b"forwarded") if self._reads_forwarded else ()
        if sum(map(len, xff)) + sum(map(len, forwarded)) > _CACHED:
            return self._find(request.peer, xff, forwarded)
        return self._cached(request.peer, xff, forwarded)

    def _find(self, peer: str | None, xff: tuple[bytes, ...], forwarded: tuple[bytes, ...]) -> Address:
        texts = [value.decode("latin-1") for value in xff], [value.decode("latin-1") for value in forwarded]
        return client_address(peer, texts[0], self._trusted, texts[1])


_NOBODY = _Walk(None, broken=False)


def _alone(source: Literal["xff", "forwarded"], walk: _Walk, peer: str | None) -> Address:
    doubt = Doubt(why="unreadable", **{source: walk.ip}) if walk.broken else None
    if walk.ip is None:
        return Address(ip=canonical(peer), source="peer", doubt=doubt)
    return Address(ip=walk.ip, source=source, doubt=doubt)


def _walk(hops: Sequence[str | None], trusted: Networks) -> _Walk:
    """From the right, while the addresses are those of trusted proxies. A hop of None cannot be read."""
    found: str | None = None
    for hop in reversed(hops):
        if hop is None:
            return _Walk(found, broken=True)
        found = hop
        if not trusted.contain(hop):
            break
    return _Walk(found, broken=False)


def _hops(values: Sequence[str]) -> list[str]:
    """The entries of ``X-Forwarded-For``, at most _MAX_HOPS of the last; empty ones do not count (RFC 9110, 5.6.1)."""
    return [hop for value in values for hop in map(str.strip, value.split(",")) if hop][-_MAX_HOPS:]


def _read_hop(text: str) -> str | None:
    """``203.0.113.9``, ``203.0.113.9:4711``, ``2001:db8::1`` or ``[2001:db8::1]:4711``; None for anything else."""
    return canonical(text) or _read_node(text)


def _read_node(text: str) -> str | None:
    """A node of RFC 7239, section 6, as an address; None for ``unknown``, for a name, and for what is none."""
    return _node(text) if len(text) <= _MAX_NODE else None


@lru_cache(maxsize=4096)
def _node(text: str) -> str | None:
    match = _NODE.fullmatch(text)
    if match is None or (match[2] is not None and ":" not in match[2]):
        return None
    return canonical(match[1] or match[2])


def read_forwarded(values: Sequence[str]) -> list[str | None]:
    """The ``for`` of each element of ``Forwarded``, in order, as an address; None where it names none, or the element
    is not of the grammar. No quotation goes from one value, or from a broken element, into what follows."""
    return [node for value in values for node in _elements(value[-_MAX_VALUE:])]


def _elements(value: str) -> list[str | None]:
    found: list[str | None] = []
    at = _end(_EMPTY, value, 0)
    while at < len(value):
        element = _Element()
        while at < len(value) and value[at] != ",":
            pair = _PAIR.match(value, at)
            if pair is not None and element.take(pair):
                at = _end(_GAP, value, pair.end())
            else:
                element.broken = True
                comma = value.find(",", at)
                at = comma if comma >= 0 else len(value)
        found.append(None if element.broken else element.node)
        at = _end(_EMPTY, value, at)
    return found


def _end(pattern: re.Pattern[str], value: str, at: int) -> int:
    """Where that which the pattern matches here ends."""
    match = pattern.match(value, at)
    return match.end() if match else at


class _Element:
    """The pairs between two commas; ``node`` is the address that ``for`` names."""

    def __init__(self) -> None:
        self.broken = False
        self.node: str | None = None
        self._seen: set[str] = set()

    def take(self, pair: re.Match[str]) -> bool:
        """False for a parameter that stands here for the second time."""
        name = pair[1].lower()
        if name in self._seen:
            return False
        self._seen.add(name)
        if name == "for":
            self.node = _read_node(pair[2] if pair[2] is not None else _ESCAPED.sub(r"\1", pair[3]))
        return True
