"""The API client's first way: be asked, answer at verify_url, repeat the request."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import (
    APPROVED,
    ASKED,
    BY_GRANT,
    LOCKED,
    REPLAYED,
    TRANSFER,
    WRONG,
    ask,
    problem,
    prove,
    verify,
)


def test_two_steps(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        asked = client.post(TRANSFER)
        assert problem(asked) == (401, "challenge-required")
        assert asked.headers["www-authenticate"] == 'StepUp realm="bank", max_age="300"'
        challenge = asked.json()
        approved = verify(client, challenge, door.code(enrolled))
        passed = client.post(TRANSFER, content=b"amount=1")
    assert approved.status_code == 200
    assert approved.headers["content-type"] == "application/json"
    assert approved.headers["cache-control"] == "no-store"
    assert set(approved.json()) == {"status", "flow_id", "grant", "expires_at"}
    assert (approved.json()["status"], approved.json()["flow_id"]) == ("approved", challenge["flow_id"])
    assert (passed.status_code, passed.json()["body"]) == (200, "amount=1")
    assert door.story(user) == [*APPROVED, *BY_GRANT]


def test_the_challenge_document(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        document = client.post(TRANSFER).json()
    assert list(document) == [
        "type", "title", "status", "detail", "flow_id", "challenge_id", "factors", "max_age", "expires_at",
        "verify_url", "page_url",
    ]  # fmt: skip
    assert (document["factors"], document["max_age"]) == (["totp", "recovery_code"], 300)
    assert document["page_url"] == f"/_stepup/challenges/{document['challenge_id']}"
    assert document["verify_url"] == document["page_url"] + "/verify"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["expires_at"])
    ends = datetime.fromisoformat(document["expires_at"]).astimezone(UTC).timestamp()
    assert abs(ends - time.time() - 300) < 10


def test_what_the_lines_of_a_flow_share(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, session="secret-session") as client:
        prove(client, door.code(enrolled))
        client.post(TRANSFER + "?to=hidden", content=b"hidden body")
    lines = [line for line in door.lines(user) if line["event_type"] == "step_up"]
    assert len({line["flow_id"] for line in lines}) == 1
    assert len({line["event_id"] for line in lines}) == len(lines)
    trigger, issued, outcome, access, result = lines
    assert trigger["request_id"] == issued["request_id"] != outcome["request_id"] != access["request_id"]
    assert access["request_id"] == result["request_id"] == door.reached(user)[0]["stepup"]["request_id"]
    assert access["action"] == {
        "route": "transfer", "method": "POST", "template": "/accounts/{account}/transfer", "path": TRANSFER,
    }  # fmt: skip
    assert access["risk"] == {"score": 60, "challenge_at": 50, "deny_at": 90, "signals": {"route": 60}}
    assert access["policy"]["mode"] == "enforce"
    assert (access["proof"]["method"], access["proof"]["challenge_id"]) == ("totp", issued["proof"]["challenge_id"])
    assert 0 <= access["proof"]["age_s"] < 10
    assert (access["origin"]["ip"], access["origin"]["ip_source"]) == ("127.0.0.1", "peer")
    assert access["session_id"].startswith("h:")
    assert result["http"]["status"] == 200
    assert all(before["seq"] < after["seq"] for before, after in pairwise(lines))
    told = str(lines)
    assert "secret-session" not in told
    assert "hidden" not in told
    assert enrolled.secret not in told


def test_what_the_app_sees(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        flow = prove(client, door.code(enrolled))["flow_id"]
        seen = client.post(TRANSFER).json()["stepup"]
    assert set(seen) == {"request_id", "flow_id", "user_id", "basis", "proved_at", "risk_score"}
    assert (seen["flow_id"], seen["user_id"], seen["basis"], seen["risk_score"]) == (flow, user, "grant", 60)
    assert abs(seen["proved_at"] - time.time()) < 10


def test_a_wrong_code_then_the_right_one(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        wrong = verify(client, challenge, door.wrong(enrolled))
        right = verify(client, challenge, door.code(enrolled))
    assert problem(wrong) == (401, "invalid-code")
    assert wrong.json()["attempts_left"] == 4
    assert wrong.headers["www-authenticate"].startswith("StepUp ")
    assert right.status_code == 200
    assert door.story(user) == [*ASKED, WRONG, "outcome/approved route_policy"]
    attempts = [line["proof"]["attempt"] for line in door.lines(user) if line["phase"] in ("challenge", "outcome")]
    assert attempts == [None, 1, 2]


@pytest.mark.parametrize(
    "code",
    ["12345", "1234567", "", "abcdef", "１２３４５６", "123 456", "123456\n", "-12345", "١٢٣٤٥٦"],  # noqa: RUF001 - spellings are the point
    ids=["short", "long", "empty", "letters", "full-width", "space", "newline", "sign", "arabic"],
)
def test_a_malformed_code_counts_as_a_wrong_one(door: Door, user: str, enrolled: Enrolled, code: str) -> None:
    with door.client(user) as client:
        answer = verify(client, ask(client), code)
    assert problem(answer) == (401, "invalid-code")
    assert answer.json()["attempts_left"] == 4
    assert door.story(user) == [*ASKED, WRONG]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("application/json", b""),
        ("application/json", b"123456"),
        ("application/json", b'{"code": 123456}'),
        ("application/json", b'{"code": ["123456"]}'),
        ("application/json", b'{"code": null}'),
        ("application/json", b'{"code": "\\ud800"}'),
        ("application/json", b"[" * 5000),
        ("application/json", b'{"code": "' + b"1" * 5000 + b'"}'),
        ("application/x-www-form-urlencoded", b"other=123456"),
        ("application/x-www-form-urlencoded", b"code=123456&code=654321"),
        ("application/x-www-form-urlencoded", b"&a=b" * 100),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
    ],
    ids=[
        "no-member", "nothing", "bare", "number", "list", "null", "surrogate", "deep", "huge", "other-field", "twice",
        "many-fields", "not-text",
    ],
)  # fmt: skip
def test_a_missing_code_is_no_attempt(door: Door, user: str, enrolled: Enrolled, kind: str, body: bytes) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        answer = client.post(challenge["verify_url"], content=body, headers={"Content-Type": kind})
        state = client.get(challenge["page_url"]).json()
    assert problem(answer) == (400, "bad-request")
    assert state["attempts_left"] == 5
    assert door.story(user) == ASKED


def test_a_form_answers_as_well_as_json(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        code = door.code(enrolled)
        assert client.post(challenge["verify_url"], data={"code": f"{code[:3]} {code[3:]}"}).status_code == 200
    assert door.story(user) == APPROVED


def test_a_recovery_code_is_a_proof_once(door: Door, user: str, enrolled: Enrolled) -> None:
    code = enrolled.recovery_codes[0]
    with door.client(user) as client:
        prove(client, code)
        assert client.post(TRANSFER).status_code == 200
        client.cookies.clear()
        again = verify(client, ask(client), code)
    assert problem(again) == (401, "invalid-code")
    assert door.story(user) == [*APPROVED, *BY_GRANT, *ASKED, WRONG]
    assert [line["proof"]["method"] for line in door.lines(user) if line["phase"] == "access"] == ["recovery_code"]


def test_a_recovery_code_is_no_proof_where_only_totp_counts(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client, "/totp-only")
        assert challenge["factors"] == ["totp"]
        assert problem(verify(client, challenge, enrolled.recovery_codes[0])) == (401, "invalid-code")
        assert verify(client, challenge, door.code(enrolled)).status_code == 200


def test_a_replayed_code(door: Door, user: str, enrolled: Enrolled) -> None:
    code = door.code(enrolled)
    with door.client(user) as client:
        prove(client, code)
        client.cookies.clear()
        second = verify(client, ask(client), code)
        inline = client.post(TRANSFER, headers={"Step-Up-Code": code})
    assert problem(second) == problem(inline) == (401, "invalid-code")
    assert "used before" in second.json()["detail"]
    assert door.story(user) == [*APPROVED, *ASKED, REPLAYED, REPLAYED]
    assert door.reached(user) == []


@pytest.mark.parametrize("spelling", ["full-width", "space", "newline", "plus"])
def test_a_replayed_code_in_another_spelling(door: Door, user: str, enrolled: Enrolled, spelling: str) -> None:
    code = door.code(enrolled)
    respelt = {
        "full-width": code.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"}),
        "space": code[:3] + " " + code[3:],
        "newline": code + "\n",
        "plus": "+" + code,
    }[spelling]
    with door.client(user) as client:
        prove(client, code)
        client.cookies.clear()
        assert problem(verify(client, ask(client), respelt)) == (401, "invalid-code")
    assert door.story(user) == [*APPROVED, *ASKED, WRONG]


def test_a_right_code_of_a_clock_far_off(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        skewed = verify(client, challenge, door.code(enrolled, steps=6))
        behind = verify(client, challenge, door.code(enrolled, steps=-6))
    assert problem(skewed) == problem(behind) == (401, "clock-skew")
    assert "ahead" in skewed.json()["detail"]
    assert "behind" in behind.json()["detail"]
    assert skewed.headers["www-authenticate"].startswith("StepUp ")
    assert door.story(user) == [*ASKED, WRONG, WRONG]
    assert [line["detail"] for line in door.lines(user) if line["phase"] == "challenge"] == [
        None, "clock_skew", "clock_skew",
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_one_step_off_is_right(door: Door, user: str, enrolled: Enrolled, steps: int) -> None:
    while door.now() % 30 > 28:
        time.sleep(0.1)  # the step must not turn between the code and its judging
    with door.client(user) as client:
        prove(client, door.code(enrolled, steps=steps))
    assert door.story(user) == APPROVED


def test_codes_of_earlier_steps_are_spent_with_a_later_one(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        earlier = door.code(enrolled)
        prove(client, door.code(enrolled, steps=1))
        client.cookies.clear()
        assert problem(verify(client, ask(client), earlier)) == (401, "invalid-code")
    assert door.story(user) == [*APPROVED, *ASKED, REPLAYED]


def test_five_wrong_codes_lock_the_account(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        wrong = [verify(client, challenge, door.wrong(enrolled)) for _ in range(5)]
        right_one, wrong_one = (verify(client, challenge, code) for code in (door.code(enrolled), "000000"))
        inline = client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled)})
    assert [problem(answer) for answer in wrong] == [(401, "invalid-code")] * 5
    assert [answer.json()["attempts_left"] for answer in wrong] == [4, 3, 2, 1, 0]
    assert problem(right_one) == problem(wrong_one) == problem(inline) == (429, "locked")
    assert 1 <= int(right_one.headers["retry-after"]) <= 30  # what is configured, and not a second more
    assert set(right_one.json()) == set(wrong_one.json())
    assert set(right_one.headers) == set(wrong_one.headers)
    assert door.story(user) == [*ASKED, *[WRONG] * 5, "outcome/locked route_policy", LOCKED, LOCKED, *ASKED, LOCKED]
    notices = [line for line in door.lines(user) if line["event_type"] == "throttle"]
    assert [(line["phase"], line["detail"]["failures"]) for line in notices] == [("locked", 5)]
    assert door.reached(user) == []


def test_a_replay_as_the_last_try_ends_the_challenge_without_a_verdict(
    door: Door, user: str, enrolled: Enrolled
) -> None:
    """The same code may be winning it from another request at that moment; if not, it expires."""
    with door.client(user) as client:
        prove(client, code := door.code(enrolled))
        client.cookies.clear()
        challenge = ask(client)
        for _ in range(4):
            verify(client, challenge, door.wrong(enrolled))
        assert verify(client, challenge, code).json()["attempts_left"] == 0
        assert problem(client.get(challenge["page_url"])) == (410, "challenge-gone")
        door.offset(31)
        assert problem(verify(client, challenge, door.code(enrolled))) == (410, "challenge-gone")
        door.offset(301)
    ended = [*APPROVED, *ASKED, *[WRONG] * 4, REPLAYED, "outcome/expired route_policy"]
    assert door.settled(user, len(ended)) == ended


def test_each_further_lock_is_longer_and_a_right_code_ends_the_count(door: Door, user: str, enrolled: Enrolled) -> None:
    waits = []
    with door.client(user) as client:
        for round_ in range(3):
            challenge = ask(client)
            for _ in range(5):
                verify(client, challenge, door.wrong(enrolled))
            locked = verify(client, challenge, door.code(enrolled))
            assert problem(locked) == (429, "locked")
            waits.append(int(locked.headers["retry-after"]))
            door.offset(door.now() - time.time() + waits[-1] + 1)
            assert round_ < 3
        prove(client, door.code(enrolled))
        assert client.post(TRANSFER).status_code == 200
        client.cookies.clear()
        assert verify(client, ask(client), door.wrong(enrolled)).json()["attempts_left"] == 4
    assert waits == pytest.approx([30, 60, 120], abs=2)


def test_the_lock_is_the_accounts_not_the_challenges(door: Door, user: str, enrolled: Enrolled) -> None:
    """New challenges, sessions and addresses bring no new guesses."""
    for number in range(5):
        with door.client(user, session=f"s{number}", **{"X-Forwarded-For": f"203.0.113.{number}"}) as client:
            left = verify(client, ask(client), door.wrong(enrolled)).json()["attempts_left"]
            assert left == 4 - number
    with door.client(user, session="another") as client:
        assert problem(verify(client, ask(client), door.code(enrolled))) == (429, "locked")


def test_another_users_failures_do_not_lock_me(door: Door, user: str, enrolled: Enrolled) -> None:
    other = door.enroll(f"{user}-other")
    with door.client(other.user) as client:
        challenge = ask(client)
        for _ in range(5):
            verify(client, challenge, door.wrong(other))
    with door.client(user) as client:
        prove(client, door.code(enrolled))
