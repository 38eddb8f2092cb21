"""Codes through both doors: once for each time step whatever the clock does, a clock that is off, a code sent twice."""

from __future__ import annotations

import time

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import BROWSER, TRANSFER, ask, problem, prove, verify

EXPORT = "/export/2026/all.csv"


@pytest.fixture(autouse=True)
def base(door: Door) -> float:
    """Every test begins two seconds into a time step, so that none ends between a code and its judgement."""
    base = 2 - time.time() % 30
    door.offset(base)
    return base


def alerts(door: Door, user: str) -> list[dict[str, object]]:
    return [
        line["detail"]
        for line in door.lines(user)
        if (line["event_type"], line["phase"]) == ("alert", "duplicate_code")
    ]


def inline(door: Door, enrolled: Enrolled, *, steps: int = 0) -> dict[str, str]:
    return {"Step-Up-Code": door.code(enrolled, steps=steps)}


def test_a_clock_that_steps_back_revives_no_code(door: Door, user: str, enrolled: Enrolled, base: float) -> None:
    with door.client(user) as client:
        door.offset(base + 3600)
        assert client.post(TRANSFER, headers=inline(door, enrolled)).status_code == 200
        for back in (3570, 3500, 1800, 0):
            door.offset(base + back)
            assert problem(client.post(TRANSFER, headers=inline(door, enrolled)))[0] in (401, 429)
            door.offset(base + back)
        door.offset(base + 7200)
        assert client.post(TRANSFER, headers=inline(door, enrolled)).status_code == 200
    assert len(door.reached(user)) == 2


def test_a_slow_authenticator_is_learned_step_by_step(door: Door, user: str, enrolled: Enrolled, base: float) -> None:
    """Two steps behind is outside the window of one; who falls behind slowly is followed, but a minute at most."""
    with door.client(user) as client:
        assert problem(client.post(TRANSFER, headers=inline(door, enrolled, steps=-2))) == (401, "clock-skew")
        for minute, behind in enumerate((1, 2, 3, 3), start=1):
            door.offset(base + 300 * minute)
            sent = client.post(TRANSFER, headers=inline(door, enrolled, steps=-behind))
            assert sent.status_code == 200, f"{behind} steps behind"
        door.offset(base + 1800)
        assert problem(client.post(TRANSFER, headers=inline(door, enrolled, steps=-4))) == (401, "clock-skew")
        assert client.post(TRANSFER, headers=inline(door, enrolled)).status_code == 200


def test_a_clock_that_is_off_is_said_with_the_time_here(door: Door, user: str, enrolled: Enrolled, base: float) -> None:
    with door.client(user) as client:
        ahead = verify(client, ask(client), door.code(enrolled, steps=9))
        behind = verify(client, ask(client), door.code(enrolled, steps=-9))
    assert problem(ahead) == problem(behind) == (401, "clock-skew")
    assert "270 seconds ahead" in ahead.json()["detail"]
    assert "270 seconds behind" in behind.json()["detail"]
    assert (ahead.json()["attempts_left"], behind.json()["attempts_left"]) == (4, 3)  # each counts once
    assert ahead.json()["server_time"].startswith("20")
    with door.client(user, **BROWSER) as browser:
        page = browser.get(EXPORT).headers["location"]
        text = browser.post(f"{page}/verify", data={"code": door.code(enrolled, steps=-9)}).text
    assert "270 seconds behind" in text
    assert " UTC" in text


def test_a_code_that_was_recognised_before_its_time_is_not_taken_at_its_time(
    door: Door, user: str, enrolled: Enrolled, base: float
) -> None:
    """Else a guess would hit any of twenty codes to come, and whoever made it had only to wait."""
    guessed = door.code(enrolled, steps=7)
    with door.client(user) as client:
        assert problem(verify(client, ask(client), guessed)) == (401, "clock-skew")
        door.offset(base + 30 * 7)
        assert guessed == door.code(enrolled)
        assert problem(verify(client, ask(client), guessed)) == (401, "invalid-code")
        assert problem(client.post(TRANSFER, headers={"Step-Up-Code": guessed})) == (401, "invalid-code")
        assert len(alerts(door, user)) == 2
        door.offset(base + 30 * 8)
        assert client.post(TRANSFER, headers=inline(door, enrolled)).status_code == 200, "the next one is"


def test_a_code_sent_twice_is_told_to_other_sessions(door: Door, user: str, enrolled: Enrolled, base: float) -> None:
    code = door.code(enrolled)
    with door.client(user) as mine, door.client(user, session="s2") as thief:
        prove(mine, code)
        assert problem(verify(thief, ask(thief), code)) == (401, "invalid-code")
        status = "/_stepup/status?method=POST&path=/accounts/1/transfer"
        assert mine.get(status).json()["duplicate_codes"] == 1
        assert thief.get(status).json()["duplicate_codes"] == 0
        page = mine.get(EXPORT, headers=BROWSER).headers["location"]
        shown = mine.get(page, headers=BROWSER).text
        assert "sent again once in the last 15 minutes" in shown
        assert mine.get("/_stepup/enroll").json()["duplicate_codes"] == 1
        page = thief.get(EXPORT, headers=BROWSER).headers["location"]
        assert "sent again" not in thief.get(page, headers=BROWSER).text
        door.offset(base + 901)
        assert mine.get(status).json()["duplicate_codes"] == 0
    [alert] = alerts(door, user)
    assert (alert["ip"], alert["flow_id"] is not None) == ("127.0.0.1", True)
    assert str(alert["session_id"]).startswith("h:")


def test_another_persons_notice_stays_theirs(door: Door, user: str, enrolled: Enrolled, base: float) -> None:
    code = door.code(enrolled)
    other = f"{user}-other"
    door.enroll(other)
    with door.client(user) as mine, door.client(user, session="s2") as thief, door.client(other) as stranger:
        prove(mine, code)
        verify(thief, ask(thief), code)
        status = "/_stepup/status?method=POST&path=/accounts/1/transfer"
        assert stranger.get(status).json()["duplicate_codes"] == 0
    assert alerts(door, other) == []
