from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.gate.answers import challenge_header, endpoint, is_cross_site, is_navigation, redirect, target_of

from .samples import make, make_request, make_rule

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SERVICES = make()


@pytest.mark.parametrize(
    ("headers", "navigation"),
    [
        ({}, False),
        ({"accept": "*/*"}, False),
        ({"accept": HTML}, True),
        ({"accept": "TEXT/HTML"}, True),
        ({"accept": "application/xhtml+xml"}, True),
        ({"accept": "application/json"}, False),
        ({"accept": "application/json, text/html"}, True),
        ({"accept": "application/json, text/html;q=0.5"}, False),
        ({"accept": "text/html, application/json;q=0.9"}, True),
        ({"accept": "text/html;q=0"}, False),
        ({"accept": "text/html;q=0.0, application/json;q=0"}, False),
        ({"accept": "text/html;level=1; q=0.4, application/problem+json;q=0.5"}, False),
        ({"accept": "text/html;q=nonsense"}, True),
        ({"accept": "text/html;q=1.2.3"}, False),
        ({"accept": "text/htmlx"}, False),
        ({"accept": "," * 5000 + "text/html"}, False),
        ({"accept": HTML, "sec-fetch-mode": "navigate"}, True),
        ({"accept": HTML, "sec-fetch-mode": "cors"}, False),
        ({"accept": HTML, "sec-fetch-mode": "same-origin"}, False),
        ({"accept": HTML, "sec-fetch-mode": "no-cors"}, False),
        ({"accept": HTML, "sec-fetch-mode": ""}, False),
        ({"accept": "application/json", "sec-fetch-mode": "navigate"}, False),
        ({"accept": HTML, "x-requested-with": "XMLHttpRequest"}, False),
        ({"accept": HTML, "authorization": "Bearer abc"}, False),
        ({"accept": HTML, "authorization": "dpop abc"}, False),
        ({"accept": HTML, "authorization": "Basic abc"}, True),
    ],
)
def test_a_navigation_is_a_browser_that_prefers_html(headers: dict[str, str], navigation: bool) -> None:
    assert is_navigation(make_request(headers=headers)) is navigation


def test_a_websocket_is_no_navigation() -> None:
    assert not is_navigation(make_request(kind="websocket", headers={"accept": HTML}))


@given(st.text(st.characters(max_codepoint=255), max_size=40), st.text("q=;., texhml/*019", max_size=60))
def test_any_accept_header_has_an_answer(one: str, two: str) -> None:
    assert is_navigation(make_request(headers={"accept": one + two})) in (True, False)


@pytest.mark.parametrize(
    ("headers", "cross"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": ""}, True),
        ({"origin": "https://bank.example", "host": "bank.example"}, False),
        ({"origin": "https://BANK.example", "host": "bank.EXAMPLE"}, False),
        ({"origin": "https://bank.example:8443", "host": "bank.example:8443"}, False),
        ({"origin": "https://bank.example:8443", "host": "bank.example"}, True),
        ({"origin": "https://evil.example", "host": "bank.example"}, True),
        ({"origin": "https://bank.example.evil.example", "host": "bank.example"}, True),
        ({"origin": "null", "host": "bank.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "http://[", "host": "["}, True),
        ({"origin": "https://bank.example", "host": "bank.example", "sec-fetch-site": "cross-site"}, True),
    ],
)
def test_a_form_of_another_site_is_known(headers: dict[str, str], cross: bool) -> None:
    assert is_cross_site(make_request(headers=headers)) is cross


@given(st.text(st.characters(max_codepoint=255), max_size=40), st.text(st.characters(max_codepoint=255), max_size=20))
def test_any_origin_has_an_answer(origin: str, host: str) -> None:
    assert is_cross_site(make_request(headers={"origin": origin, "host": host})) in (True, False)


PATHS = st.text("/\\.:@?#%;&=\r\n\t ae\u00e9\u2028\x00", max_size=24).map(lambda text: "/" + text)


def _stays(location: str) -> None:
    """A browser that resolves it against a page of ours goes to our own host."""
    assert location.isascii()
    assert location.isprintable()
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "\\" not in location
    found = urlsplit(location)
    assert (found.scheme, found.netloc) == ("", "")


@given(PATHS, st.binary(max_size=20), st.sampled_from(["", "/app", "//evil.example", "/\\evil.example", "/a b"]))
def test_23_every_redirect_stays_on_the_origin(path: str, query: bytes, root: str) -> None:
    request = make_request(method="GET", path=root + path, root_path=root, query=query)
    _stays(target_of(request))
    _stays(endpoint(SERVICES, request, "challenges/x"))
    headers = dict(redirect(target_of(request)).headers)
    assert headers[b"cache-control"] == b"no-store"
    assert b"\n" not in headers[b"location"]


def test_a_return_keeps_path_and_query() -> None:
    request = make_request(method="GET", path="/app/export/a b/\u00e9", root_path="/app", query=b"x=1&y=%20")
    assert target_of(request) == "/app/export/a%20b/%C3%A9?x=1&y=%20"


@pytest.mark.parametrize(
    ("authorization", "scheme"),
    [("", "StepUp"), ("Bearer x", "Bearer"), ("bearer x", "Bearer"), ("DPoP x", "Bearer"), ("Basic x", "StepUp")],
)
def test_the_challenge_speaks_the_scheme_of_the_client(authorization: str, scheme: str) -> None:
    headers = {"authorization": authorization} if authorization else {}
    name, value = challenge_header(SERVICES, make_request(headers=headers), make_rule(max_age_s=120))
    text = value.decode("ascii")
    assert name == b"www-authenticate"
    assert text.partition(" ")[0] == scheme
    assert 'max_age="120"' in text
    if scheme == "Bearer":
        assert 'error="insufficient_user_authentication"' in text
        assert 'acr_values="urn:stepup:totp urn:stepup:recovery_code"' in text
    else:
        assert 'realm="bank"' in text


def test_nothing_is_said_about_a_score() -> None:
    text: Any = challenge_header(SERVICES, make_request(), make_rule(risk=77))[1]
    assert b"77" not in text
