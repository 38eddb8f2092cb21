from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from stepup_mw.origin import Address, Networks, client_address, coarse_user_agent, network_of, parse_address, truncated

TRUSTED = Networks(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "ip", "source"),
    [
        ("198.51.100.7", [], "198.51.100.7", "peer"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7", "peer"),
        ("127.0.0.1", [], "127.0.0.1", "peer"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9", "xff"),
        ("127.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9", "xff"),
        ("127.0.0.1", ["6.6.6.6", "203.0.113.9"], "203.0.113.9", "xff"),
        ("127.0.0.1", ["203.0.113.9, 10.1.2.3"], "203.0.113.9", "xff"),
        ("127.0.0.1", ["203.0.113.9,10.1.2.3,10.4.5.6"], "203.0.113.9", "xff"),
        ("127.0.0.1", ["10.1.2.3, 10.4.5.6"], "10.1.2.3", "xff"),
        ("127.0.0.1", ["203.0.113.9, garbage"], "127.0.0.1", "peer"),
        ("127.0.0.1", ["garbage, 203.0.113.9"], "203.0.113.9", "xff"),
        ("127.0.0.1", ["garbage, 10.1.2.3"], "10.1.2.3", "xff"),
        ("127.0.0.1", [""], "127.0.0.1", "peer"),
        ("127.0.0.1", [","], "127.0.0.1", "peer"),
        ("127.0.0.1", ["unknown"], "127.0.0.1", "peer"),
        ("127.0.0.1", ["203.0.113.9:4711"], "127.0.0.1", "peer"),
        ("127.0.0.1", ["fe80::1%eth0"], "127.0.0.1", "peer"),
        ("127.0.0.1", ["203.0.113.009"], "127.0.0.1", "peer"),
        ("127.0.0.1", ["1" * 100_000], "127.0.0.1", "peer"),
        ("127.0.0.1", ["2001:DB8::0:1"], "2001:db8::1", "xff"),
        ("127.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9", "xff"),
        ("::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9", "xff"),
        ("fd00::1", ["203.0.113.9"], "203.0.113.9", "xff"),
        (None, ["203.0.113.9"], None, "peer"),
        ("unix:", ["203.0.113.9"], None, "peer"),
        ("", [], None, "peer"),
    ],
)
def test_the_table(peer: str | None, forwarded: list[str], ip: str | None, source: str) -> None:
    assert client_address(peer, forwarded, TRUSTED) == Address(ip=ip, source="xff" if source == "xff" else "peer")


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
    asyncio.run(ProxyHeadersMiddleware(app, ["127.0.0.1", "10.0.0.0/8", "fd00::/8"])(scope, nobody, nobody))  # type: ignore[arg-type]  # a scope with what the middleware reads
    return seen[0]


@given(HOPS)
def test_uvicorn_sees_the_same_client(hops: list[str]) -> None:
    ours = client_address("127.0.0.1", [", ".join(hops)], TRUSTED)
    theirs = parse_address(_by_uvicorn(hops).split("%")[0])
    assert ours.source == "xff"
    assert ours.ip == str(theirs)


@given(HOPS.filter(lambda hops: not TRUSTED.contain(hops[-1])))
def test_werkzeug_sees_the_same_client_behind_one_proxy(hops: list[str]) -> None:
    environ: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": ", ".join(hops)}
    ProxyFix(lambda *_: [], x_for=1)(environ, lambda *_: lambda _: None)
    assert client_address("127.0.0.1", [", ".join(hops)], TRUSTED).ip == str(parse_address(environ["REMOTE_ADDR"]))


@given(st.lists(st.text(st.characters(), max_size=20) | st.text("0123456789.:,% af", max_size=30), max_size=4))
def test_garbage_is_never_an_address_and_never_an_error(values: list[str]) -> None:
    found = client_address("127.0.0.1", values, TRUSTED)
    assert found.ip is not None
    assert str(ipaddress.ip_address(found.ip)) == found.ip
    if found.source == "xff":
        named = [parse_address(hop.strip()) for value in values for hop in value.split(",")]
        assert ipaddress.ip_address(found.ip) in named


@given(st.text("0123456789.:af%/ ,", max_size=50))
def test_an_untrusted_peer_is_who_it_is(value: str) -> None:
    assert client_address("203.0.113.9", [value], TRUSTED) == Address(ip="203.0.113.9", source="peer")


def test_a_header_of_a_million_hops_is_soon_done() -> None:
    begun = time.perf_counter()
    assert client_address("127.0.0.1", ["10.0.0.1," * 300_000 + "203.0.113.9"], TRUSTED).ip == "203.0.113.9"
    assert client_address("127.0.0.1", ["10.0.0.1," * 300_000 + "10.0.0.1"], TRUSTED).ip == "10.0.0.1"
    assert time.perf_counter() - begun < 2.0


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("::ffff:10.0.0.1", True),
        ("fdff::1", True),
        ("fe00::1", False),
        ("localhost", False),
        ("10.0.0.1 ", False),
        ("", False),
        (None, False),
    ],
)
def test_networks_hold_what_lies_in_them(address: str | None, inside: bool) -> None:
    assert TRUSTED.contain(address) is inside
    assert not Networks([]).contain(address)


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        (None, ""),
        ("garbage", ""),
    ],
)
def test_a_network_is_where_a_person_usually_is(ip: str | None, network: str) -> None:
    assert network_of(ip) == network


@pytest.mark.parametrize(
    ("ip", "shown"),
    [
        ("203.0.113.9", ("203.0.113.0", 24)),
        ("2001:db8:1:2:3:4:5:6", ("2001:db8:1::", 48)),
        ("::ffff:203.0.113.9", ("203.0.113.0", 24)),
        ("::1", ("::", 48)),
        ("unix", (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_a_truncated_address_tells_no_subscriber_from_the_next(
    ip: str | None, shown: tuple[str | None, int | None]
) -> None:
    assert truncated(ip) == shown


def test_an_update_of_a_browser_is_no_new_browser() -> None:
    before = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    after = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36"
    assert coarse_user_agent(before) == coarse_user_agent(after) != coarse_user_agent(chrome)


@given(st.text(st.characters(), max_size=40))
def test_a_user_agent_is_coarsened_whatever_it_is(text: str) -> None:
    assert len(coarse_user_agent(text * 100)) <= 512


def test_a_hostile_user_agent_costs_little() -> None:
    begun = time.perf_counter()
    coarse_user_agent("(" * 100_000)
    coarse_user_agent("/1" * 100_000)
    assert time.perf_counter() - begun < 0.5
