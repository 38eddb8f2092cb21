"""The client's address behind proxies: what is believed, what is doubt, and that others who read well see the same."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import Any

import forwarded as rfc7239
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from stepup_mw.forwarding import Address, Clients, Doubt, client_address, read_forwarded
from stepup_mw.origin import Networks, parse_address

from .samples import make_request

PROXIES = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]
TRUSTED = Networks(PROXIES)


def by_peer(ip: str | None) -> Address:
    return Address(ip=ip, source="peer")


def by_xff(ip: str) -> Address:
    return Address(ip=ip, source="xff")


def unreadable(ip: str = "127.0.0.1", *, xff: str | None = None, forwarded: str | None = None) -> Address:
    source: Any = "peer" if ip == "127.0.0.1" else "xff" if xff else "forwarded"
    return Address(ip=ip, source=source, doubt=Doubt(why="unreadable", xff=xff, forwarded=forwarded))


@pytest.mark.parametrize(
    ("peer", "values", "found"),
    [
        ("198.51.100.7", [], by_peer("198.51.100.7")),
        ("198.51.100.7", ["203.0.113.9"], by_peer("198.51.100.7")),
        ("127.0.0.1", [], by_peer("127.0.0.1")),
        ("127.0.0.1", ["203.0.113.9"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["6.6.6.6, 203.0.113.9"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["6.6.6.6", "203.0.113.9"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["203.0.113.9, 10.1.2.3"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["203.0.113.9,10.1.2.3,10.4.5.6"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["10.1.2.3, 10.4.5.6"], by_xff("10.1.2.3")),
        ("127.0.0.1", ["203.0.113.9, garbage"], unreadable()),
        ("127.0.0.1", ["garbage, 203.0.113.9"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["garbage, 10.1.2.3"], unreadable("10.1.2.3", xff="10.1.2.3")),
        ("127.0.0.1", [""], by_peer("127.0.0.1")),
        ("127.0.0.1", [", ,"], by_peer("127.0.0.1")),
        ("127.0.0.1", ["203.0.113.9,"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["unknown"], unreadable()),
        ("127.0.0.1", ["203.0.113.9:4711"], by_xff("203.0.113.9")),
        ("127.0.0.1", ["[2001:db8::1]:4711, 10.0.0.1:80"], by_xff("2001:db8::1")),
        ("127.0.0.1", ["[2001:db8::1]"], by_xff("2001:db8::1")),
        ("127.0.0.1", ["[203.0.113.9]"], unreadable()),
        ("127.0.0.1", ["203.0.113.9:"], unreadable()),
        ("127.0.0.1", ["fe80::1%eth0"], unreadable()),
        ("127.0.0.1", ["203.0.113.009"], unreadable()),
        ("127.0.0.1", ["1" * 100_000], unreadable()),
        ("127.0.0.1", ["2001:DB8::0:1"], by_xff("2001:db8::1")),
        ("127.0.0.1", ["::ffff:203.0.113.9"], by_xff("203.0.113.9")),
        ("::ffff:127.0.0.1", ["203.0.113.9"], by_xff("203.0.113.9")),
        ("fd00::1", ["203.0.113.9"], by_xff("203.0.113.9")),
        (None, ["203.0.113.9"], by_peer(None)),
        ("unix:", ["203.0.113.9"], by_peer(None)),
        ("", [], by_peer(None)),
    ],
)
def test_x_forwarded_for(peer: str | None, values: list[str], found: Address) -> None:
    assert client_address(peer, values, TRUSTED) == found


@pytest.mark.parametrize(
    ("value", "nodes"),
    [
        ("for=203.0.113.9", ["203.0.113.9"]),
        ("For=203.0.113.9;Proto=https ; by=10.0.0.1", ["203.0.113.9"]),
        ('by="_a";for="203.0.113.9:4711"', ["203.0.113.9"]),
        ('for="[2001:db8:cafe::17]:4711"', ["2001:db8:cafe::17"]),
        ('for="[2001:db8::1]:_port"', ["2001:db8::1"]),
        ('for="203.0.\\113.9"', ["203.0.113.9"]),
        ("for=6.6.6.6,for=203.0.113.9 , for=10.0.0.1", ["6.6.6.6", "203.0.113.9", "10.0.0.1"]),
        (", ;,for=203.0.113.9;,", ["203.0.113.9"]),
        ("for=unknown", [None]),
        ("for=_secret", [None]),
        ("proto=https", [None]),
        ("for=2001:db8::1", [None]),
        ('for="2001:db8::1"', [None]),
        ("for=203.0.113.9;for=6.6.6.6", [None]),
        ("for=203.0.113.9;x", [None]),
        ("for = 203.0.113.9", [None]),
        ("for=203.0.113.9 x", [None]),
        ("for=203.0.113.9\n", [None]),
        ('for="203.0.113.9', [None]),
        ('for=6.6.6.6;x=", for=203.0.113.9', [None, "203.0.113.9"]),
        ('for=6.6.6.6;x=", for="[2001:db8::1]"', [None, "2001:db8::1"]),
        ('for=6.6.6.6;x=", for=203.0.113.9;host="";by=_p', [None, "203.0.113.9"]),
        ('x="\\", for=203.0.113.9', [None, "203.0.113.9"]),
        ('x="a,b";for=203.0.113.9', ["203.0.113.9"]),
        ("", []),
    ],
)
def test_forwarded(value: str, nodes: list[str | None]) -> None:
    assert read_forwarded([value]) == nodes
    assert read_forwarded(["for=6.6.6.6", value]) == ["6.6.6.6", *nodes]


@pytest.mark.parametrize(
    ("xff", "forwarded", "found"),
    [
        ([], ["for=203.0.113.9"], Address(ip="203.0.113.9", source="forwarded")),
        ([], ["for=6.6.6.6, for=203.0.113.9, for=10.0.0.1"], Address(ip="203.0.113.9", source="forwarded")),
        ([], ["for=unknown, for=10.0.0.1"], unreadable("10.0.0.1", forwarded="10.0.0.1")),
        ([], ["for=_secret"], unreadable()),
        ([], [""], by_peer("127.0.0.1")),
        (["203.0.113.9"], [""], by_xff("203.0.113.9")),
        ([""], ["for=203.0.113.9"], Address(ip="203.0.113.9", source="forwarded")),
        (["6.6.6.6, 203.0.113.9"], ['for="203.0.113.9:1"'], Address(ip="203.0.113.9", source="forwarded")),
        (["203.0.113.9"], ["for=x"], unreadable(xff="203.0.113.9")),
        (["x"], ["for=203.0.113.9"], unreadable(forwarded="203.0.113.9")),
        (
            ["203.0.113.9"],
            ["for=6.6.6.6"],
            Address(
                ip="127.0.0.1",
                source="peer",
                doubt=Doubt(why="disagreement", xff="203.0.113.9", forwarded="6.6.6.6"),
            ),
        ),
        (
            ["203.0.113.9, 10.0.0.1"],
            ["for=10.0.0.1"],
            Address(
                ip="127.0.0.1",
                source="peer",
                doubt=Doubt(why="disagreement", xff="203.0.113.9", forwarded="10.0.0.1"),
            ),
        ),
    ],
)
def test_both_headers_say_the_same_or_it_is_doubt(xff: list[str], forwarded: list[str], found: Address) -> None:
    assert client_address("127.0.0.1", xff, TRUSTED, forwarded) == found
    assert client_address("203.0.113.1", xff, TRUSTED, forwarded) == by_peer("203.0.113.1")


@pytest.mark.parametrize(
    ("header", "ip", "source"),
    [("both", "127.0.0.1", "peer"), ("x-forwarded-for", "203.0.113.9", "xff"), ("forwarded", "6.6.6.6", "forwarded")],
)
def test_a_header_that_the_proxies_do_not_write_is_not_looked_at(header: Any, ip: str, source: str) -> None:
    clients = Clients(TRUSTED, header)
    request = make_request(headers={"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=6.6.6.6"})
    for found in (clients.of(request), clients.of(request)):
        assert (found.ip, found.source, found.doubt is not None) == (ip, source, header == "both")
    long = make_request(headers={"X-Forwarded-For": "6.6.6.6," * 200 + "203.0.113.9"})
    assert clients.of(long).source == ("peer" if header == "forwarded" else "xff")


ADDRESSES = st.ip_addresses().map(str)
INSIDE = st.integers(0, 2**24 - 1).map(lambda n: str(ipaddress.IPv4Address((10 << 24) + n)))
HOPS = st.lists(ADDRESSES | INSIDE, min_size=1, max_size=6)


def _by_uvicorn(hops: list[str]) -> str:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"][0])

    scope = {
        "type": "http",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "headers": [(b"x-forwarded-for", ", ".join(hops).encode())],
    }
    nobody: Any = None
    asyncio.run(ProxyHeadersMiddleware(app, PROXIES)(scope, nobody, nobody))  # type: ignore[arg-type]  # a scope with what the middleware reads
    return seen[0]


@given(HOPS)
def test_uvicorn_sees_the_same_client(hops: list[str]) -> None:
    ours = client_address("127.0.0.1", [", ".join(hops)], TRUSTED)
    theirs = parse_address(_by_uvicorn(hops).split("%")[0])
    assert ours == by_xff(str(theirs))


@given(HOPS.filter(lambda hops: not TRUSTED.contain(hops[-1])))
def test_werkzeug_sees_the_same_client_behind_one_proxy(hops: list[str]) -> None:
    environ: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": ", ".join(hops)}
    ProxyFix(lambda *_: [], x_for=1)(environ, lambda *_: lambda _: None)
    assert client_address("127.0.0.1", [", ".join(hops)], TRUSTED).ip == str(parse_address(environ["REMOTE_ADDR"]))


def _element(ip: str, port: int | None, extra: str) -> str:
    node = f"[{ip}]" if ":" in ip else ip
    node = f"{node}:{port}" if port is not None else node
    return f'for="{node}"{extra}' if {"[", ":"} & set(node) else f"for={node}{extra}"


EXTRAS = st.sampled_from(["", ";proto=https", ';host="shop.example"', ';by="_hid;den,x"', ";BY=10.0.0.1"])
ELEMENTS = st.lists(st.tuples(ADDRESSES | INSIDE, st.none() | st.integers(0, 65535), EXTRAS), min_size=1, max_size=6)


@given(ELEMENTS, st.integers(0, 5))
def test_a_parser_of_rfc_7239_sees_the_same_client(elements: Any, cut: int) -> None:
    parts = [_element(*element) for element in elements]
    values = [", ".join(part) for part in (parts[:cut], parts[cut:]) if part]
    theirs = rfc7239.client_from_forwarded(values, "127.0.0.1", trusted=PROXIES)
    assert theirs is not None
    named = parse_address(str(theirs.node.ip))
    assert client_address("127.0.0.1", [], TRUSTED, values) == Address(ip=str(named), source="forwarded")


JUNK = st.text(st.characters(codec="latin-1"), max_size=30) | st.text('fForR=";,\\ 0123456789.:[]_', max_size=40)


@given(st.lists(JUNK, max_size=3), JUNK, ADDRESSES)
def test_nothing_a_client_writes_hides_what_the_proxy_wrote_after_it(before: list[str], joined: str, ip: str) -> None:
    """Whether the proxy adds a line of its own, or adds to the client's."""
    own = _element(ip, None, ";proto=https")
    if TRUSTED.contain(ip):
        return
    wanted = str(parse_address(ip))
    for values in ([*before, joined, own], [*before, f"{joined}, {own}"]):
        assert client_address("127.0.0.1", [], TRUSTED, values) == Address(ip=wanted, source="forwarded")
    for values in ([*before, joined, ip], [*before, f"{joined}, {ip}"]):
        assert client_address("127.0.0.1", values, TRUSTED) == by_xff(wanted)


@given(st.lists(JUNK, max_size=4), st.lists(JUNK, max_size=4))
def test_garbage_is_never_an_address_and_never_an_error(xff: list[str], forwarded: list[str]) -> None:
    found = client_address("127.0.0.1", xff, TRUSTED, forwarded)
    assert found.ip is not None
    assert str(ipaddress.ip_address(found.ip)) == found.ip
    if found.source == "peer" and found.doubt is None:
        assert not any(text.strip(" \t;,") for text in forwarded)
        assert not any(hop.strip() for text in xff for hop in text.split(","))


@given(JUNK, JUNK)
def test_an_untrusted_peer_is_who_it_is(xff: str, forwarded: str) -> None:
    assert client_address("203.0.113.9", [xff], TRUSTED, [forwarded]) == by_peer("203.0.113.9")


@pytest.mark.parametrize("piece", ["10.0.0.1,", 'x="\\",', 'x="', "a=1;", ",", 'x=\\"', "\\a"])
def test_a_header_of_a_million_hops_is_soon_done(piece: str) -> None:
    begun = time.perf_counter()
    client_address("127.0.0.1", [piece * 300_000], TRUSTED, [piece * 300_000, *[piece * 400] * 20])
    assert time.perf_counter() - begun < 3.0


def test_the_last_hops_count() -> None:
    assert client_address("127.0.0.1", ["10.0.0.1," * 300_000 + "203.0.113.9"], TRUSTED).ip == "203.0.113.9"
    assert client_address("127.0.0.1", ["10.0.0.1," * 300_000 + "10.0.0.1"], TRUSTED).ip == "10.0.0.1"
