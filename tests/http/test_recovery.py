"""Recovery codes through both doors: once each, never where a rule bars them, and what they take along."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import BROWSER, TRANSFER, ask, problem, prove, verify

ENROLL = "/_stepup/enroll"


@pytest.fixture(autouse=True)
def base(door: Door) -> float:
    """Every test begins two seconds into a time step, so that none ends between a code and its judgement."""
    base = 2 - time.time() % 30
    door.offset(base)
    return base


def left(door: Door, user: str) -> int:
    with door.client(user) as client:
        return int(client.get(ENROLL).json()["recovery_codes_left"])


def test_each_works_once_and_is_counted_down(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        for number, code in enumerate(enrolled.recovery_codes[:3], start=1):
            assert client.post(TRANSFER, headers={"Step-Up-Code": code}).status_code == 200
            assert problem(client.post(TRANSFER, headers={"Step-Up-Code": code})) == (401, "invalid-code")
            assert left(door, user) == 10 - number
        status = client.get("/_stepup/status?method=POST&path=/accounts/1/transfer").json()
    assert status["recovery_codes_left"] == 7


@pytest.mark.parametrize(
    "spelt", [str.lower, lambda code: code.replace("-", ""), lambda code: code.replace("-", " ").title()]
)
def test_every_spelling_is_one_code(door: Door, user: str, enrolled: Enrolled, spelt: Callable[[str], str]) -> None:
    with door.client(user) as client:
        prove(client, spelt(enrolled.recovery_codes[0]))
        assert problem(verify(client, ask(client, "/wire"), enrolled.recovery_codes[0])) == (401, "invalid-code")
    assert left(door, user) == 9


def test_who_used_one_has_no_code_of_this_moment_left(door: Door, user: str, enrolled: Enrolled, base: float) -> None:
    """A code seen over the shoulder is dead once the recovery code is used, and alive again with the next window."""
    with door.client(user) as client:
        prove(client, enrolled.recovery_codes[0])
        for steps in (-1, 0, 1):
            sent = client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled, steps=steps)})
            assert problem(sent) == (401, "invalid-code")
        door.offset(base + 90)
        assert client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled)}).status_code == 200
    assert [line for line in door.story(user) if "replayed" in line] == ["challenge/replayed route_policy"] * 3


def test_a_rule_that_leaves_them_out_bars_them_and_keeps_them(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        asked = ask(client, "/totp-only")
        assert asked["factors"] == ["totp"]
        assert problem(verify(client, asked, enrolled.recovery_codes[0])) == (401, "invalid-code")
        prove(client, enrolled.recovery_codes[0])
        assert client.post("/totp-only").status_code == 401
        page = client.get("/export/x", headers=BROWSER).headers["location"]
        assert 'id="recovery"' in client.get(page, headers=BROWSER).text
    assert left(door, user) == 9


def test_a_wrong_one_counts_like_any_code(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        for _ in range(5):
            client.post(TRANSFER, headers={"Step-Up-Code": "AAAA-BBBB-CCCC-DDDD"})
        locked = client.post(TRANSFER, headers={"Step-Up-Code": enrolled.recovery_codes[0]})
        assert problem(locked) == (429, "locked")
    assert left(door, user) == 10


def test_new_ones_need_a_proof_and_void_the_old(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        refused = client.post(ENROLL, json={"action": "recovery_codes", "current_code": "000000"})
        assert problem(refused) == (401, "invalid-code")
        made = client.post(ENROLL, json={"action": "recovery_codes", "current_code": door.code(enrolled)}).json()
        assert (made["status"], len(set(made["recovery_codes"]))) == ("recovery_codes", 10)
        twice = client.post(ENROLL, json={"action": "recovery_codes", "current_code": door.code(enrolled)})
        assert problem(twice) == (401, "invalid-code")
        old = client.post(TRANSFER, headers={"Step-Up-Code": enrolled.recovery_codes[0]})
        assert problem(old) == (401, "invalid-code")
        assert client.post(TRANSFER, headers={"Step-Up-Code": made["recovery_codes"][0]}).status_code == 200
    phases = [(line["phase"], line["detail"]["by"]) for line in door.lines(user) if line["event_type"] == "enrollment"]
    assert phases == [
        ("enrolled", "operator"),
        ("rejected", "self"),
        ("recovery_codes", "self"),
        ("rejected", "self"),
    ]


def test_nobody_elses_code_works(door: Door, user: str, enrolled: Enrolled) -> None:
    other = door.enroll(f"{user}-other")
    with door.client(user) as client:
        sent = client.post(TRANSFER, headers={"Step-Up-Code": other.recovery_codes[0]})
        assert problem(sent) == (401, "invalid-code")
    assert left(door, f"{user}-other") == 10
