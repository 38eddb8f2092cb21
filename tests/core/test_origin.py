from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.origin import Networks, coarse_user_agent, network_of, truncated

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
