from __future__ import annotations

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.origin import Networks, canonical, coarse_user_agent, network_of, parse_address, truncated

TRUSTED = Networks(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


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


ADDRESSES = st.ip_addresses()
MAPPED = st.ip_addresses(v=4).map(lambda address: ipaddress.IPv6Address((0xFFFF << 32) + int(address)))
COMPATIBLE = st.integers(0, 2**48).map(ipaddress.IPv6Address)
SPELT = (ADDRESSES | MAPPED | COMPATIBLE).flatmap(
    lambda address: st.sampled_from([str(address), address.exploded, str(address).upper(), f"::ffff:{address}"])
)
ODD = st.text("0123456789abF:.%/x ", max_size=40) | st.text(max_size=20)
ODD_SPELLINGS = [
    "1.2.3",
    "1.2.3.4.",
    "01.2.3.4",
    "1.2.3.4\0",
    "0x1.2.3.4",
    "1",
    "::%eth0",
    "1::2:3:4:5:6:7:8",
    "::1.2.3.4",
]


@given(SPELT | ODD | st.sampled_from(ODD_SPELLINGS))
def test_an_address_has_one_spelling_that_of_the_standard_library(text: str) -> None:
    parsed = parse_address(text)
    assert canonical(text) == (str(parsed) if parsed is not None else None)
    if parsed is not None:
        length = 24 if parsed.version == 4 else 48
        assert network_of(text) == str(ipaddress.ip_network((parsed, length), strict=False))


@given(st.lists(st.ip_addresses(v=4) | st.ip_addresses(v=6), min_size=1, max_size=4), st.data())
def test_networks_hold_what_the_standard_library_says(bases: list[ipaddress.IPv4Address], data: st.DataObject) -> None:
    sizes = [data.draw(st.integers(0, base.max_prefixlen)) for base in bases]
    nets = [ipaddress.ip_network((base, size), strict=False) for base, size in zip(bases, sizes, strict=True)]
    near = data.draw(
        st.sampled_from(nets).flatmap(lambda net: st.integers(0, net.num_addresses - 1).map(net.__getitem__))
    )
    for address in (near, data.draw(ADDRESSES)):
        mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped
        inside = any(address.version == net.version and address in net for net in nets)
        assert mapped or Networks([str(net) for net in nets]).contain(str(address)) is inside


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
