"""What a person holds, over sockets: listed, given up one by one or all at once, by themself, on their own site."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import TRANSFER, ask, problem, prove, verify

pytestmark = pytest.mark.slow

GRANTS = "/_stepup/grants"
PAYROLL = "/payroll"


def grants(client: httpx2.Client) -> list[dict[str, Any]]:
    answer = client.get(GRANTS)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: list[dict[str, Any]] = answer.json()["grants"]
    return found


def revoked(door: Door, user: str) -> list[dict[str, Any]]:
    return [line["detail"] for line in door.lines(user) if (line["event_type"], line["phase"]) == ("grant", "revoked")]


def test_what_is_held_is_listed_newest_first(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client, door.client(user, session="s2") as other:
        assert grants(client) == []
        prove(client, door.code(enrolled))
        prove(other, door.code(enrolled, steps=1), PAYROLL)
        payroll, transfer = grants(client)
        (token, _) = client.cookies["stepup"].rsplit(".", 1)
        assert transfer["id"] == token, "the id opens nothing: the token is a signature over it"
        assert {**transfer, "proved_at": "", "expires_at": ""} == {
            "id": transfer["id"],
            "scope": "route",
            "route": "transfer",
            "method": "totp",
            "proved_at": "",
            "expires_at": "",
            "current": True,
        }
        assert transfer["proved_at"] < transfer["expires_at"]
        assert (payroll["scope"], payroll["route"], payroll["current"]) == ("service", "payroll", False)
        assert [grant["current"] for grant in grants(other)] == [True, False]
        assert client.post(TRANSFER).status_code == 200
    with door.client(user) as without_cookies:
        assert [grant["current"] for grant in grants(without_cookies)] == [False, False]
        bare = {"Step-Up-Grant": transfer["id"]}
        assert without_cookies.post(TRANSFER, headers=bare).status_code == 401
    assert revoked(door, user) == []


def test_one_is_given_up_and_the_rest_stays(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        prove(client, door.code(enrolled, steps=1), PAYROLL)
        payroll, transfer = grants(client)
        answer = client.delete(f"{GRANTS}/{transfer['id']}")
        assert (answer.status_code, answer.json()) == (200, {"revoked": 1})
        assert client.post(TRANSFER).status_code == 200, "the service grant opens it still"
        assert [grant["id"] for grant in grants(client)] == [payroll["id"]]
        assert problem(client.delete(f"{GRANTS}/{transfer['id']}")) == (404, "grant-gone")
        client.delete(f"{GRANTS}/{payroll['id']}")
        assert client.post(TRANSFER).status_code == 401
    assert revoked(door, user) == [{"by": "owner", "grants": 1, "all": False}] * 2


def test_all_are_given_up_at_once_in_every_session(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client, door.client(user, session="s2") as other:
        prove(client, door.code(enrolled))
        token = prove(other, door.code(enrolled, steps=1))["grant"]
        answer = client.delete(GRANTS)
        assert (answer.status_code, answer.json()) == (200, {"revoked": 2})
        assert "stepup=" in answer.headers["set-cookie"]
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert "stepup" not in client.cookies
        assert client.post(TRANSFER).status_code == 401
        assert other.post(TRANSFER).status_code == 401
        assert other.post(TRANSFER, headers={"Step-Up-Grant": token}).status_code == 401
        assert client.delete(GRANTS).json() == {"revoked": 0}
    assert revoked(door, user) == [{"by": "owner", "grants": 2, "all": True}]


def test_nobody_sees_or_ends_what_is_anothers(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client, door.client(f"{user}-thief") as thief, door.client() as nobody:
        prove(client, door.code(enrolled))
        (grant,) = grants(client)
        assert grants(thief) == []
        assert problem(thief.delete(f"{GRANTS}/{grant['id']}")) == (404, "grant-gone")
        assert thief.delete(GRANTS).json() == {"revoked": 0}
        for method, path in (("GET", GRANTS), ("DELETE", GRANTS), ("DELETE", f"{GRANTS}/{grant['id']}")):
            assert problem(nobody.request(method, path)) == (401, "login-required")
        assert client.post(TRANSFER).status_code == 200
    assert revoked(door, user) == []


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
    ids=["cross-site", "same-site", "origin"],
)
@pytest.mark.parametrize("one", [True, False], ids=["one", "all"])
def test_another_site_ends_nothing(
    door: Door, user: str, enrolled: Enrolled, headers: dict[str, str], one: bool
) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        (grant,) = grants(client)
        path = f"{GRANTS}/{grant['id']}" if one else GRANTS
        assert problem(client.delete(path, headers=headers)) == (400, "bad-request")
        assert client.delete(path, headers={"Sec-Fetch-Site": "same-origin"}).json() == {"revoked": 1}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET", "OPTIONS"])
def test_other_methods_are_refused_and_change_nothing(door: Door, user: str, enrolled: Enrolled, method: str) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        (grant,) = grants(client)
        answer = client.request(method, f"{GRANTS}/{grant['id']}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE")
        if method != "GET":
            refused = client.request(method, GRANTS)
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, DELETE")
        assert client.head(GRANTS).status_code == 200
        assert grants(client) == [grant]


def test_an_operators_revocation_and_a_new_factor_void_at_once(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        assert client.post(TRANSFER).status_code == 200
        renewed = door.enroll(user)
        assert client.post(TRANSFER).status_code == 401
        assert grants(client) == []
        verify(client, ask(client), door.code(renewed))
        assert client.post(TRANSFER).status_code == 200
