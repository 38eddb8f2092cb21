"""Access tokens at real servers: a proof of their own, the challenge of RFC 9470, our code beside it, a loop told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from ..identity.issuer import AUDIENCE, ISSUER, mint, public_jwk, serving_keys, written
from .doors import Door, serving
from .steps import APPROVED, ASKED, BY_GRANT, TRANSFER, problem, verify
from .test_providers import configured

pytestmark = pytest.mark.slow

REQUIRED = "trigger/required route_policy"
BY_TOKEN = ["access/allowed route_policy token", "result/completed route_policy token"]
JWT = f'provider = "jwt"\njwks = "jwks.json"\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\nsession = "sid"\n'
RULES = """
[[routes]]
name = "hardware"
path = "/hardware"
risk = 60
amr = ["hwk"]

[[routes]]
name = "default"
path = "/default"
risk = 60
acr = ["phr", "urn:mfa"]
amr = ["otp"]
"""


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def tokens(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("tokens")
    written(folder, public_jwk("rsa1"))
    config = configured(JWT + 'acr = ["urn:mfa"]\n').replace("[challenge]", RULES + "[challenge]")
    with serving(request.param, folder, config) as running:
        yield running


def bearer(door: Door, user: str | None = None, **changes: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint('rsa1', door.now(), sub=user, **changes)}"}


def send(door: Door, headers: dict[str, str], path: str = TRANSFER) -> httpx2.Response:
    return httpx2.post(door.url + path, headers=headers)


def test_a_token_that_satisfies_the_rule_is_the_proof(tokens: Door, user: str) -> None:
    auth_time = int(tokens.now()) - 60
    answer = send(tokens, bearer(tokens, user, sid="s1", auth_time=auth_time))
    assert answer.status_code == 200, answer.text
    assert tokens.story(user) == BY_TOKEN
    line = tokens.lines(user)[0]
    shown = line["proof"]
    assert {**shown, "age_s": 60} == {
        "basis": "token",
        "method": "pwd otp",
        "challenge_id": None,
        "attempt": None,
        "age_s": 60,
    }
    assert 60 <= shown["age_s"] <= 120
    assert line["session_id"].startswith("h:")
    (run,) = tokens.reached(user)
    assert run["stepup"]["basis"] == "token"
    assert run["stepup"]["proved_at"] == auth_time
    assert run["on_record"]


LACKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "acr": ({"acr": "urn:pwd"}, "acr", "A different authentication level is required"),
    "acr-missing": ({"acr": None}, "acr", "A different authentication level is required"),
    "auth-time-missing": (
        {"auth_time": None},
        "auth_time",
        "The access token does not say when its user authenticated",
    ),
    "stale": ({"auth_time": 1_000_000_000}, "stale", "More recent authentication is required"),
    "future": (
        {"auth_time": 2**40},
        "future",
        "The access token is from the future: the clocks of the issuer and of this service differ",
    ),
}


@pytest.mark.parametrize("name", LACKS)
def test_what_is_no_proof_is_asked_for_as_rfc_9470_says(tokens: Door, user: str, name: str) -> None:
    changes, lack, text = LACKS[name]
    enrolled = tokens.enroll(user)
    headers = bearer(tokens, user, **changes)
    answer = send(tokens, headers)
    assert problem(answer) == (401, "challenge-required")
    assert answer.headers["www-authenticate"] == (
        f'Bearer error="insufficient_user_authentication", error_description="{text}", '
        'acr_values="urn:mfa", max_age="300"'
    )
    assert answer.json()["detail"].startswith(text)
    assert answer.json()["loop"] is False
    assert tokens.story(user) == ASKED
    details = [line["detail"] for line in tokens.lines(user) if line["phase"] == "trigger"]
    assert details == [f"token_{lack}"]
    with httpx2.Client(base_url=tokens.url, headers=headers) as client:
        grant = verify(client, answer.json(), tokens.code(enrolled)).json()["grant"]
    assert send(tokens, {**headers, "Step-Up-Grant": grant}).status_code == 200
    assert tokens.story(user) == [*APPROVED, *BY_GRANT]


def test_a_user_without_an_authenticator_here_is_sent_to_the_provider(tokens: Door, user: str) -> None:
    answer = send(tokens, bearer(tokens, user, acr="urn:pwd"))
    assert problem(answer) == (401, "challenge-required")
    assert 'acr_values="urn:mfa"' in answer.headers["www-authenticate"]
    assert answer.json()["factors"] == []
    assert "verify_url" not in answer.json()
    assert tokens.story(user) == [REQUIRED]
    assert answer.json()["flow_id"] == tokens.lines(user)[0]["flow_id"]
    assert send(tokens, bearer(tokens, user)).status_code == 200


@pytest.mark.parametrize("how", ["enrolled", "not-enrolled"])
def test_a_provider_that_never_raises_acr_is_told_from_a_client_that_tries_again(
    tokens: Door, user: str, how: str
) -> None:
    if how == "enrolled":
        tokens.enroll(user)
    same: dict[str, Any] = {"acr": "urn:pwd", "auth_time": int(tokens.now()) - 60}
    first = bearer(tokens, user, jti="1", **same)
    loops = [send(tokens, headers).json()["loop"] for headers in (first, first, bearer(tokens, user, jti="2", **same))]
    assert loops == [False, False, True]
    again = send(tokens, bearer(tokens, user, jti="3", **same))
    assert "gave a new token with the authentication of the last one" in again.json()["detail"]
    assert "gave a new token with the authentication of the last one" in again.headers["www-authenticate"]
    details = [line["detail"] for line in tokens.lines(user) if line["phase"] == "trigger"]
    assert details == ["token_acr", "token_acr", "token_loop", "token_loop"]
    fresh = send(tokens, bearer(tokens, user, acr="urn:pwd", auth_time=int(tokens.now())))
    assert fresh.json()["loop"] is False
    other = send(tokens, bearer(tokens, user, jti="4", **same), "/hardware")
    assert other.json()["loop"] is False


def test_a_rule_may_want_something_else_of_tokens(tokens: Door, user: str) -> None:
    answer = send(tokens, bearer(tokens, user), "/hardware")
    assert answer.status_code == 401
    assert "acr_values" not in answer.headers["www-authenticate"]
    assert 'max_age="300"' in answer.headers["www-authenticate"]
    assert send(tokens, bearer(tokens, user, amr=["hwk"], acr=None), "/hardware").status_code == 200
    assert tokens.lines(user)[-1]["proof"]["method"] == "hwk"
    tried: list[tuple[dict[str, Any], int]] = [({}, 200), ({"amr": ["pwd"]}, 401), ({"acr": "urn:pwd"}, 401)]
    for changes, status in tried:
        answer = send(tokens, bearer(tokens, user, **changes), "/default")
        assert answer.status_code == status
    assert 'acr_values="phr urn:mfa"' in answer.headers["www-authenticate"]


def test_a_token_never_opens_a_rule_that_wants_a_proof_for_each_request(tokens: Door, user: str) -> None:
    enrolled = tokens.enroll(user)
    answer = send(tokens, bearer(tokens, user), "/wire")
    assert problem(answer) == (401, "challenge-required")
    assert answer.headers["www-authenticate"].startswith("StepUp ")
    assert send(tokens, {**bearer(tokens, user), "Step-Up-Code": tokens.code(enrolled)}, "/wire").status_code == 200
    assert tokens.story(user)[-2].endswith("inline")


def test_below_the_threshold_and_denied_stay_what_they_are(tokens: Door, user: str) -> None:
    assert send(tokens, bearer(tokens, user), "/rename").status_code == 200
    assert tokens.lines(user)[0]["proof"]["basis"] == "below_threshold"
    assert problem(send(tokens, bearer(tokens, user), "/close")) == (403, "denied")


def test_in_report_mode_the_line_says_what_would_have_been(tokens: Door, user: str) -> None:
    assert send(tokens, bearer(tokens, user), "/watch").status_code == 200
    assert send(tokens, bearer(tokens, user, acr="urn:pwd"), "/watch").status_code == 200
    access = [line for line in tokens.lines(user) if line["phase"] == "access"]
    assert [(line["proof"]["basis"], line["would"]) for line in access] == [
        ("token", None),
        ("report_mode", "challenge"),
    ]


def test_preflight_counts_the_token(tokens: Door, user: str) -> None:
    where = f"{tokens.url}/_stepup/status?method=POST&path={TRANSFER}"
    good = httpx2.get(where, headers=bearer(tokens, user)).json()
    assert good["proof_required"] is False
    assert 180 <= good["fresh_for_s"] <= 240
    poor = httpx2.get(where, headers=bearer(tokens, user, acr="urn:pwd")).json()
    assert (poor["proof_required"], poor["fresh_for_s"]) == (True, 0)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"exp": 1_000_000_000}, "expired", "The access token has expired"),
    "audience": ({"aud": "client-1"}, "audience", "The access token is for another audience"),
    "issuer": ({"iss": "https://evil.example"}, "issuer", "The access token is from another issuer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_that_is_not_good_here_is_nobodys(tokens: Door, user: str, name: str) -> None:
    changes, reason, text = REFUSED[name]
    answer = send(tokens, bearer(tokens, user, **changes))
    assert problem(answer) == (401, "login-required")
    assert answer.headers["www-authenticate"] == f'Bearer error="invalid_token", error_description="{text}"'
    assert tokens.lines(user) == []
    line = tokens.lines(None)[-1]
    assert (line["phase"], line["status"], line["detail"]) == ("access", "refused", f"token_{reason}")
    assert tokens.reached(user) == []


def test_nobody_and_another_scheme(tokens: Door) -> None:
    for headers in ({}, {"Authorization": "Basic YWxpY2U6eA=="}, {"X-Auth-User": "alice"}):
        answer = send(tokens, headers)
        assert problem(answer) == (401, "login-required")
        assert answer.headers["www-authenticate"] == 'Bearer realm="bank"'
        assert tokens.lines(None)[-1]["status"] == "anonymous"


def test_two_authorization_headers_are_an_ambiguous_request(tokens: Door, user: str) -> None:
    header = bearer(tokens, user)["Authorization"]
    host = tokens.url.removeprefix("http://")
    request = f"POST {TRANSFER} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n"
    for second in (header, "Basic YWxpY2U6eA=="):
        answer = tokens.raw(f"{request}Authorization: {header}\r\nAuthorization: {second}\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 400 ")
    assert tokens.reached(user) == []


def test_a_public_route_asks_no_token(tokens: Door) -> None:
    assert httpx2.get(tokens.url + "/public", headers={"Authorization": "Bearer x"}).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_a_provider_that_is_away_is_a_doubt_and_is_heard_again_without_a_restart(
    name: str, tmp_path_factory: pytest.TempPathFactory, user: str
) -> None:
    with serving_keys(public_jwk("rsa1")) as endpoint:
        endpoint.status = 500
        config = configured(JWT.replace("jwks.json", endpoint.url) + 'acr = ["urn:mfa"]\n')
        with serving(name, tmp_path_factory.mktemp("away"), config) as door:
            answer = send(door, bearer(door, user))
            assert problem(answer) == (503, "unavailable")
            assert "retry-after" in answer.headers
            assert door.lines(None)[-1]["detail"] == "identity_unavailable"
            assert httpx2.get(door.url + "/public").status_code == 200
            assert door.reached(user) == []
            endpoint.status = 200
            deadline = time.monotonic() + 40
            while (answer := send(door, bearer(door, user))).status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.5)
            assert answer.status_code == 200
            endpoint.status = 500
            assert send(door, bearer(door, user)).status_code == 200
            assert door.story(user) == [*BY_TOKEN, *BY_TOKEN]
