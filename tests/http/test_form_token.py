"""A form that was shown while a proof was fresh passes when it is sent later: that form, once, by that person."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import APPROVED, BROWSER, BY_GRANT, TRANSFER, prove

FORMED = ["access/allowed route_policy grant", "result/completed route_policy grant"]


def shown(client: httpx2.Client, path: str = TRANSFER, method: str = "POST") -> str:
    """The token in a form that the app shows now, "" for none."""
    answer = client.get(f"/form?{method}%20{path}")
    assert answer.status_code == 200
    return answer.text


def later(door: Door, client: httpx2.Client, enrolled: Enrolled, path: str = TRANSFER, method: str = "POST") -> str:
    """A proof, the form while it is fresh, and then ten minutes of filling it in."""
    prove(client, door.code(enrolled), path, method)
    token = shown(client, path, method)
    door.offset(600)
    return token


@pytest.mark.parametrize("how", ["field", "file", "header"])
def test_it_passes_when_the_proof_is_no_longer_fresh(door: Door, user: str, enrolled: Enrolled, how: str) -> None:
    with door.client(user, **BROWSER) as client:
        api = {"Accept": "application/json", "Sec-Fetch-Mode": "cors"}
        prove_headers = client.headers.copy()
        client.headers.update(api)
        token = later(door, client, enrolled)
        client.headers.update(prove_headers)
        ways: dict[str, dict[str, Any]] = {
            "field": {"data": {"to": "bob", "_stepup": token}},
            "file": {"data": {"to": "bob", "_stepup": token}, "files": {"f": ("a", b"\0\xff", "image/png")}},
            "header": {"data": {"to": "bob"}, "headers": {"Step-Up-Token": token}},
        }
        first, again = client.post(TRANSFER, **ways[how]), client.post(TRANSFER, **ways[how])
    assert (first.status_code, again.status_code) == (200, 303)
    assert "bob" in first.json()["body"]
    (run,) = door.reached(user)
    assert (run["stepup"]["basis"], run["on_record"]) == ("grant", True)
    lines = [line for line in door.lines(user) if line["phase"] == "access"]
    assert lines[-1]["detail"] == "form_token"
    assert lines[-1]["proof"]["age_s"] >= 600
    assert lines[-1]["flow_id"] == next(line for line in door.lines(user) if line["phase"] == "outcome")["flow_id"]


def test_nothing_is_made_without_a_fresh_proof(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        assert shown(client) == ""
        prove(client, door.code(enrolled))
        assert shown(client) != ""
        assert [shown(client, path) for path in ("/wire", "/payroll", "/nowhere", "/totp-only")] == [""] * 4
        assert shown(client, TRANSFER, "GET") == ""
        door.offset(301)
        assert shown(client) == ""
    with door.client() as nobody:
        assert shown(nobody) == ""


@pytest.mark.parametrize(
    ("path", "method"),
    [("/accounts/43/transfer", "POST"), ("/bonus", "POST"), ("/wire", "POST")],
    ids=["another path", "another rule", "a proof each"],
)
def test_it_opens_nothing_else(door: Door, user: str, enrolled: Enrolled, path: str, method: str) -> None:
    with door.client(user) as client:
        token = later(door, client, enrolled)
        assert client.request(method, path, headers={"Step-Up-Token": token}).status_code == 401
    assert door.reached(user) == []


def test_another_method(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        token = later(door, client, enrolled, "/profile", "PUT")
        assert client.delete("/profile", headers={"Step-Up-Token": token}).status_code == 401
        assert client.put("/profile", headers={"Step-Up-Token": token}).status_code == 200
    assert [run["method"] for run in door.reached(user)] == ["PUT"]


@pytest.mark.parametrize("who", ["user", "session", "browser"])
def test_it_is_nobody_elses(door: Door, user: str, enrolled: Enrolled, who: str) -> None:
    other = f"{user}-other" if who == "user" else user
    if who == "user":
        door.enroll(other)
    with door.client(user) as mine, door.client(other, session="s2" if who == "session" else "s1") as theirs:
        token = later(door, mine, enrolled)
        if who != "browser":
            theirs.cookies.set("stepup-device", mine.cookies["stepup-device"])
        assert theirs.post(TRANSFER, headers={"Step-Up-Token": token}).status_code == 401
        assert mine.post(TRANSFER, headers={"Step-Up-Token": token}).status_code == 200


@pytest.mark.parametrize("what", ["all grants", "the one grant", "a new factor"])
def test_what_voids_the_proof_voids_the_form(door: Door, user: str, enrolled: Enrolled, what: str) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        token = shown(client)
        if what == "all grants":
            assert client.delete("/_stepup/grants").json()["revoked"] == 1
        elif what == "the one grant":
            (held,) = client.get("/_stepup/grants").json()["grants"]
            assert client.delete(f"/_stepup/grants/{held['id']}").json()["revoked"] == 1
        else:
            door.enroll(user)
        for seconds in (0, 600):
            door.offset(seconds)
            assert client.post(TRANSFER, headers={"Step-Up-Token": token}).status_code == 401
    assert door.reached(user) == []


def test_it_has_an_end_of_its_own(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        token = later(door, client, enrolled)
        door.offset(1801)
        assert client.post(TRANSFER, headers={"Step-Up-Token": token}).status_code == 401


@pytest.mark.parametrize("change", [lambda text: text[:-2] + "AA", lambda _: "x", lambda text: text + "\xff"])
def test_a_token_that_was_changed(door: Door, user: str, enrolled: Enrolled, change: Any) -> None:
    with door.client(user) as client:
        token = change(later(door, client, enrolled)).encode("latin-1")
        assert client.post(TRANSFER, headers={b"Step-Up-Token": token}).status_code == 401
    assert door.reached(user) == []


def test_while_the_proof_is_fresh_the_grant_counts_and_the_token_stays(
    door: Door, user: str, enrolled: Enrolled
) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        token = shown(client)
        for seconds, status in ((0, 200), (600, 200), (600, 401)):
            door.offset(seconds)
            answer = client.post(TRANSFER, data={"_stepup": token})
            assert answer.status_code == status
    assert door.story(user)[:5] == [*APPROVED, *BY_GRANT]
