from __future__ import annotations

from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.gate.cookies import (
    MAX_GRANTS,
    cookie_name,
    device_cookie,
    grants_cookie,
    new_device,
    read_device,
    read_grants,
)
from stepup_mw.settings import CookieSettings

from .samples import make, make_request

PLAIN = make()
SECURE = make(cookie={"secure": True})


def sent(header: tuple[bytes, bytes]) -> str:
    """What a browser sends back for a Set-Cookie header."""
    assert header[0] == b"set-cookie"
    return header[1].decode().partition(";")[0]


@pytest.mark.parametrize(
    ("settings", "name"),
    [(CookieSettings(secure=True), "__Host-stepup"), (CookieSettings(secure=False), "stepup")],
    ids=["secure", "plain"],
)
def test_the_name_says_that_it_is_for_this_host_only(settings: CookieSettings, name: str) -> None:
    assert cookie_name("stepup", settings) == name


def test_the_cookies_are_for_the_browser_alone() -> None:
    grants = grants_cookie(SECURE, ["a.b"], 300)[1].decode()
    assert grants == "__Host-stepup=a.b; Path=/; Max-Age=300; HttpOnly; Secure; SameSite=Strict"
    device = device_cookie(SECURE, "d")[1].decode()
    assert device.startswith("__Host-stepup-device=d.")
    assert device.endswith("; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax")
    plain = grants_cookie(PLAIN, ["a.b"], 300)[1].decode()
    assert plain == "stepup=a.b; Path=/; Max-Age=300; HttpOnly; SameSite=Strict"
    assert "domain" not in (grants + device).lower()
    assert SimpleCookie(grants)["__Host-stepup"].value == "a.b"


def test_no_grants_clear_the_cookie() -> None:
    assert "Max-Age=0" in grants_cookie(PLAIN, [], 300)[1].decode()


@given(st.lists(st.text("abcXYZ019-_.", min_size=1, max_size=9), min_size=1, max_size=12))
def test_grants_come_back_the_newest_of_them(tokens: list[str]) -> None:
    cookie = sent(grants_cookie(PLAIN, tokens, 300))
    assert read_grants(PLAIN, make_request(headers={"cookie": f"x=1; {cookie}; y=2"})) == tokens[-MAX_GRANTS:]


@pytest.mark.parametrize(
    ("cookies", "tokens"),
    [
        ([], []),
        ([""], []),
        (["stepup="], []),
        (["stepup=a"], ["a"]),
        (['stepup="a~b"'], ["a", "b"]),
        (["stepup=~~a~"], ["a"]),
        (["stepup=a; stepup=b"], ["a", "b"]),
        (["stepup=a", "stepup=b"], ["a", "b"]),
        (["Stepup=a"], []),
        (["xstepup=a; stepup2=b; stepup-device=c"], []),
        (["__Host-stepup=a"], []),
        (["stepup=" + "~".join("abcdefghijkl")], list("abcdefgh")),
    ],
)
def test_the_cookie_header_is_read_as_sent_and_not_without_end(cookies: list[str], tokens: list[str]) -> None:
    assert read_grants(PLAIN, make_request(headers=[("cookie", cookie) for cookie in cookies])) == tokens


def test_a_cookie_without_the_prefix_counts_for_nothing_where_it_is_asked_for() -> None:
    request = make_request(headers={"cookie": "stepup=a"})
    assert read_grants(SECURE, request) == []
    assert read_grants(SECURE, make_request(headers={"cookie": "__Host-stepup=a"})) == ["a"]


def test_a_device_is_known_by_a_cookie_of_ours_only() -> None:
    device = new_device(PLAIN)
    assert len(device) == 22
    assert device != new_device(PLAIN)
    ours = sent(device_cookie(PLAIN, device))
    assert read_device(PLAIN, make_request(headers={"cookie": ours})) == device
    assert read_device(PLAIN, make_request(headers={"cookie": f"stepup-device=forged.x; {ours}"})) == device
    assert read_device(PLAIN, make_request(headers={"cookie": f"stepup-device={device}"})) == ""
    as_grant = PLAIN.keyring.sign("grant_cookie", device)
    assert read_device(PLAIN, make_request(headers={"cookie": f"stepup-device={as_grant}"})) == ""
    far = "; ".join(["stepup-device=forged.x"] * 10)
    assert read_device(PLAIN, make_request(headers={"cookie": f"{far}; {ours}"})) == ""


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_cookie_header_is_read(value: str) -> None:
    request = make_request(headers={"cookie": "stepup-device=" + value})
    assert read_device(PLAIN, request) == ""
    assert len(read_grants(PLAIN, request)) <= MAX_GRANTS
