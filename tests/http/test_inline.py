"""The API client's second way: the code comes with the request itself and opens that request only."""

from __future__ import annotations

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import APPROVED, ASKED, BY_GRANT, INLINE, LOCKED, REPLAYED, TRANSFER, WRONG, ask, problem, prove, verify


def test_a_code_with_the_request(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **{"Step-Up-Code": door.code(enrolled)}) as client:
        passed = client.post(TRANSFER, content=b"amount=1")
    assert (passed.status_code, passed.json()["body"]) == (200, "amount=1")
    assert passed.json()["stepup"]["basis"] == "inline"
    assert "set-cookie" not in passed.headers
    assert door.story(user) == [*APPROVED, *INLINE]
    assert len({line["flow_id"] for line in door.lines(user) if line["event_type"] == "step_up"}) == 1
    assert len({line["request_id"] for line in door.lines(user) if line["event_type"] == "step_up"}) == 1


def test_a_code_after_the_challenge_belongs_to_its_flow(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        passed = client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled)})
        later = verify(client, challenge, door.code(enrolled, steps=1))
    assert passed.json()["stepup"]["flow_id"] == challenge["flow_id"]
    assert problem(later) == (410, "challenge-gone")
    assert door.story(user) == [*APPROVED, *INLINE]


def test_it_opens_that_request_only(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        assert client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled)}).status_code == 200
        assert client.post(TRANSFER).status_code == 401
    assert door.story(user) == [*APPROVED, *INLINE, *ASKED]


def test_a_wrong_code_with_the_request(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        wrong = client.post(TRANSFER, headers={"Step-Up-Code": door.wrong(enrolled)})
        right = client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled)})
    assert problem(wrong) == (401, "invalid-code")
    assert wrong.json()["attempts_left"] == 4
    assert wrong.json()["verify_url"].startswith("/_stepup/challenges/")
    assert right.status_code == 200
    assert door.story(user) == [*ASKED, WRONG, "outcome/approved route_policy", *INLINE]


def test_a_code_with_two_requests(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **{"Step-Up-Code": door.code(enrolled)}) as client:
        first, second = client.post(TRANSFER), client.post("/accounts/43/transfer")
    assert first.status_code == 200
    assert problem(second) == (401, "invalid-code")
    assert door.story(user) == [*APPROVED, *INLINE, *ASKED, REPLAYED]


@pytest.mark.parametrize("code", ["", "abc", "1234567", "9" * 4000, "123456, 123456"])
def test_a_malformed_code_with_the_request(door: Door, user: str, enrolled: Enrolled, code: str) -> None:
    with door.client(user, **{"Step-Up-Code": code}) as client:
        assert problem(client.post(TRANSFER)) == (401, "invalid-code")
    assert door.story(user) == [*ASKED, WRONG]


def test_locked(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        for _ in range(5):
            client.post(TRANSFER, headers={"Step-Up-Code": door.wrong(enrolled)})
        right, wrong = (
            client.post(TRANSFER, headers={"Step-Up-Code": code})
            for code in (door.code(enrolled), door.wrong(enrolled))
        )
    assert problem(right) == problem(wrong) == (429, "locked")
    assert right.json().keys() == wrong.json().keys()
    assert "retry-after" in right.headers
    story = door.story(user)
    assert story == [*ASKED, *[WRONG] * 5, "outcome/locked route_policy", *ASKED, LOCKED, LOCKED]
    assert door.reached(user) == []


def test_a_large_body_streams_through(door: Door, user: str, enrolled: Enrolled) -> None:
    body = b"x" * 3_000_000
    with door.client(user) as client:
        passed = client.post(TRANSFER, content=body, headers={"Step-Up-Code": door.code(enrolled)})
    assert (passed.status_code, len(passed.json()["body"])) == (200, len(body))


def test_a_large_body_on_a_rule_for_each_request(door: Door, user: str, enrolled: Enrolled) -> None:
    """The code comes with the very request, so nothing needs to be bound to the body."""
    body = b"0123456789abcdef" * 20_000
    with door.client(user) as client:
        passed = client.post("/wire", content=body, headers={"Step-Up-Code": door.code(enrolled)})
    assert (passed.status_code, passed.json()["body"]) == (200, body.decode())
    assert door.story(user) == [*APPROVED, *INLINE]


def test_a_chunked_large_body_streams_through(door: Door, user: str, enrolled: Enrolled) -> None:
    body = b"0123456789abcdef" * 20_000
    pieces = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
    with door.client(user) as client:
        passed = client.post("/wire", content=pieces, headers={"Step-Up-Code": door.code(enrolled)})
    assert (passed.status_code, len(passed.json()["body"])) == (200, len(body))


def test_a_code_beside_a_grant_is_judged_not_ignored(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        wrong = client.post(TRANSFER, headers={"Step-Up-Code": door.wrong(enrolled)})
        without = client.post(TRANSFER)
    assert problem(wrong) == (401, "invalid-code")
    assert without.status_code == 200
    assert door.story(user) == [*APPROVED, *ASKED, WRONG, *BY_GRANT]


def test_a_code_where_none_is_needed_is_not_looked_at(door: Door, user: str, enrolled: Enrolled) -> None:
    code = door.code(enrolled)
    with door.client(user) as client:
        assert client.post("/rename", headers={"Step-Up-Code": code}).status_code == 200
        prove(client, code)
    assert door.story(user)[:2] == [
        "access/allowed below_threshold below_threshold",
        "result/completed below_threshold below_threshold",
    ]
