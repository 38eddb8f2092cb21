"""Against a real OpenID provider (oidc-provider on Node): sign in, be asked, step up there, be let in; and the loop."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from ..http.doors import Door, serving
from ..http.steps import TRANSFER, problem
from ..http.test_providers import configured
from ..npm import npm_folder
from ..servers import Process, free_port, until

BANK = "https://bank.example"
BACK = "https://shop.example/back"
pytestmark = pytest.mark.slow


class Person:
    """Somebody at a browser: follows the redirects of the provider, and gives what a client app would get."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http
        self._refresh = ""

    def token(self, user: str, **asked: str) -> str:
        """An access token for the bank, by a whole authorization code flow with these parameters."""
        verifier = "v" * 43
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": "shop",
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid offline_access",
            "code_challenge": proof,
            "code_challenge_method": "S256",
            "resource": BANK,
            "login_hint": user,
            **asked,
        }
        query = {name: value for name, value in query.items() if value}
        answer = self._http.get("/auth", params=query)
        for _ in range(8):
            assert answer.status_code in (302, 303), answer.text
            if answer.headers["location"].startswith(BACK):
                break
            answer = self._http.get(answer.headers["location"])
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}
        return self._exchange(form)

    def refreshed(self) -> str:
        return self._exchange({"grant_type": "refresh_token", "refresh_token": self._refresh})

    def _exchange(self, form: dict[str, str]) -> str:
        answer = self._http.post("/token", data={"client_id": "shop", "resource": BANK, **form})
        assert answer.status_code == 200, answer.text
        self._refresh = answer.json().get("refresh_token", "")
        return str(answer.json()["access_token"])


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """Its URL."""
    modules, port = npm_folder("oidc-provider@9.13.3"), free_port()
    process = Process()
    process.launch(["node", Path(__file__).with_name("provider.mjs"), modules, str(port)])
    until(lambda: "up" in (process.folder / "log").read_text(), within_s=30, what="the provider")
    yield f"http://127.0.0.1:{port}"
    process.kill()


@pytest.fixture
def person(provider: str) -> Iterator[Person]:
    with httpx2.Client(base_url=provider, timeout=20) as http:
        yield Person(http)


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def bank(request: pytest.FixtureRequest, provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    jwt = f'provider = "jwt"\njwks = "{provider}/jwks"\nissuer = "{provider}"\naudience = "{BANK}"\n'
    config = configured(jwt + 'acr = ["urn:mfa"]\namr = ["otp"]\ntoken_types = ["at+jwt"]\n')
    with serving(request.param, tmp_path_factory.mktemp("bank"), config) as running:
        yield running


def send(bank: Door, token: str) -> httpx2.Response:
    return httpx2.post(bank.url + TRANSFER, headers={"Authorization": f"Bearer {token}"}, timeout=20)


def told(answer: httpx2.Response) -> dict[str, str]:
    """The parameters of the challenge."""
    return dict(re.findall(r'(\w+)="([^"]*)"', answer.headers["www-authenticate"]))


def claims(token: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


def test_from_a_password_to_a_proof_by_what_the_challenge_says(bank: Door, person: Person) -> None:
    user = f"alice-{bank.name}"
    answer = send(bank, person.token(user))
    assert problem(answer) == (401, "challenge-required")
    asked = told(answer)
    assert (asked["error"], asked["acr_values"]) == ("insufficient_user_authentication", "urn:mfa")
    essential = {"id_token": {"acr": {"essential": True, "values": asked["acr_values"].split()}}}
    token = person.token(user, claims=json.dumps(essential), max_age=asked["max_age"])
    assert claims(token)["acr"] == "urn:mfa"
    assert send(bank, token).status_code == 200
    assert bank.story(user) == [
        "trigger/required route_policy",
        "access/allowed route_policy token",
        "result/completed route_policy token",
    ]
    proof = next(line for line in bank.lines(user) if line["phase"] == "access")["proof"]
    assert (proof["basis"], proof["method"]) == ("token", "otp")
    assert bank.reached(user)[0]["stepup"]["proved_at"] == claims(token)["auth_time"]


def test_a_proof_grows_old_though_the_token_is_refreshed(bank: Door, person: Person) -> None:
    user = f"bob-{bank.name}"
    essential = json.dumps({"id_token": {"acr": {"essential": True, "values": ["urn:mfa"]}}})
    first = person.token(user, claims=essential)
    second = person.refreshed()
    assert claims(first)["auth_time"] == claims(second)["auth_time"]
    assert send(bank, second).status_code == 200
    bank.offset(280)
    try:
        assert send(bank, person.refreshed()).status_code == 200
        bank.offset(301)
        answer = send(bank, person.refreshed())
        assert problem(answer) == (401, "challenge-required")
        assert told(answer)["error_description"] == "More recent authentication is required"
    finally:
        bank.offset(0)
    again = person.token(user, claims=essential, max_age="0")
    assert claims(again)["auth_time"] >= claims(first)["auth_time"]
    assert send(bank, again).status_code == 200


def test_a_provider_that_takes_acr_values_for_a_wish_is_told(bank: Door, person: Person) -> None:
    user = f"carol-{bank.name}"
    first = send(bank, person.token(user))
    wish = {"acr_values": told(first)["acr_values"]}
    second = send(bank, person.token(user, **wish))
    assert (first.json()["loop"], second.json()["loop"]) == (False, True)
    assert "essential acr claim" in told(second)["error_description"]
    details = [line["detail"] for line in bank.lines(user) if line["phase"] == "trigger"]
    assert details == ["token_acr", "token_loop"]


def test_a_token_of_the_provider_that_is_changed_is_refused(bank: Door, person: Person) -> None:
    token = person.token("dave")
    header, body, signature = token.split(".")
    for hostile in (f"{header}.{body}.{signature[::-1]}", f"{header}..{signature}", "x"):
        assert problem(send(bank, hostile)) == (401, "login-required")
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["typ"] == "at+jwt"


def test_nothing_of_a_token_stands_in_the_trail(bank: Door, person: Person) -> None:
    token = person.token("erin")
    send(bank, token)
    trail = (bank.folder / "audit" / "stepup.jsonl").read_bytes()
    assert all(part.encode() not in trail for part in token.split(".")[1:])
