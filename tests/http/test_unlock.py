"""A locked account, over sockets: a right code is answered as a wrong one, and three in a row end the lock."""

from __future__ import annotations

import time
from typing import Any

import httpx2

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import LOCKED, TRANSFER, ask, problem, verify

FULL_WIDTH = "".join(chr(0xFF10 + digit) for digit in (1, 2, 3, 4, 5, 6))


def lock(door: Door, client: httpx2.Client, enrolled: Enrolled, times: int = 5) -> None:
    """Wrong codes until the account is locked, each over its own channel."""
    wrong = door.wrong(enrolled)
    for number in range(times):
        if number % 2:
            answer = client.post(TRANSFER, headers={"Step-Up-Code": wrong})
        else:
            answer = verify(client, ask(client), wrong)
        assert answer.status_code == 401


def shape(answer: httpx2.Response) -> tuple[int, list[str], dict[str, Any]]:
    """All of an answer that does not hang on the clock."""
    names = sorted(name for name in answer.headers if name not in ("date", "server"))
    body = {name: value for name, value in answer.json().items() if name != "detail"}
    return answer.status_code, names, body


def unlocks(door: Door, user: str) -> list[dict[str, Any]]:
    return [line["detail"] for line in door.lines(user) if line["phase"] == "unlocked"]


def later(door: Door, by: float) -> None:
    door.offset(door.now() - time.time() + by)


def test_right_and_wrong_are_told_alike_over_every_channel(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        lock(door, client, enrolled)
        challenge = ask(client)
        answers = [
            verify(client, challenge, code)
            for code in (door.code(enrolled), door.wrong(enrolled), enrolled.recovery_codes[0], "x", FULL_WIDTH)
        ]
        answers.append(client.post(TRANSFER, headers={"Step-Up-Code": door.code(enrolled)}))
        for answer in answers:
            assert problem(answer) == (429, "locked")
            assert 0 < int(answer.headers["retry-after"]) <= 31
        assert all(shape(answer) == shape(answers[0]) for answer in answers)
    assert door.reached(user) == []
    assert unlocks(door, user) == []


def test_three_right_codes_of_three_steps_end_the_lock_and_open_nothing(
    door: Door, user: str, enrolled: Enrolled
) -> None:
    with door.client(user) as client:
        for _ in range(2):
            lock(door, client, enrolled)
            later(door, 61)
        lock(door, client, enrolled)  # the third lock lasts two minutes
        for number in range(3):
            answer = verify(client, ask(client), door.code(enrolled))
            assert problem(answer) == (429, "locked"), number
            used = door.code(enrolled)
            if number < 2:
                later(door, 30)
        assert client.get("/_stepup/grants").json() == {"grants": []}
        assert verify(client, ask(client), used).status_code == 401, "the last of the three is used up"
        later(door, 30)
        assert verify(client, ask(client), door.code(enrolled)).status_code == 200
    assert unlocks(door, user) == [{"failures": 15, "by": "owner"}]
    assert door.story(user).count(LOCKED) == 3, "each code is one line"
    assert door.reached(user) == []


def test_a_wrong_one_between_or_the_same_twice_begins_anew(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        for _ in range(3):
            lock(door, client, enrolled)
            later(door, 121)
        lock(door, client, enrolled)  # four minutes
        right, wrong = door.code, door.wrong
        challenge = ask(client)
        for step, code in enumerate((right, right, wrong, right, right)):
            assert verify(client, challenge, code(enrolled)).status_code == 429
            assert verify(client, challenge, right(enrolled)).status_code == 429, "one look a step"
            if step < 4:
                later(door, 30)
        assert unlocks(door, user) == []
        later(door, 30)
        assert verify(client, challenge, right(enrolled)).status_code == 429
        assert len(unlocks(door, user)) == 1


def test_another_person_cannot_move_the_count_or_the_run(door: Door, user: str, enrolled: Enrolled) -> None:
    """Nor can nobody, another session of the app's, or a form of another site."""
    with (
        door.client(user) as client,
        door.client(f"{user}-thief") as thief,
        door.client(user, session="s2") as other_session,
        door.client() as nobody,
    ):
        challenge = ask(client)
        wrong = door.wrong(enrolled)
        for _ in range(8):
            assert verify(thief, challenge, wrong).status_code == 404
            assert verify(other_session, challenge, wrong).status_code == 404
            assert verify(nobody, challenge, wrong).status_code == 401
            cross = client.post(challenge["verify_url"], json={"code": wrong}, headers={"Sec-Fetch-Site": "cross-site"})
            assert cross.status_code == 400
            guessed = {"verify_url": challenge["verify_url"].replace(challenge["challenge_id"], "guess" * 5)}
            assert verify(client, guessed, wrong).status_code == 404
        answer = verify(client, challenge, wrong)
        assert (answer.status_code, answer.json()["attempts_left"]) == (401, 4)
        assert verify(client, challenge, door.code(enrolled)).status_code == 200


def test_a_code_for_an_unknown_challenge_and_for_anothers_are_told_alike(
    door: Door, user: str, enrolled: Enrolled
) -> None:
    with door.client(user) as client, door.client(f"{user}-thief") as thief:
        theirs = ask(client)
        unknown = {"verify_url": theirs["verify_url"].replace(theirs["challenge_id"], "A" * 24)}
        told = [verify(thief, challenge, door.code(enrolled)) for challenge in (theirs, unknown)]
        lock(door, client, enrolled)
        told.append(verify(thief, theirs, door.code(enrolled)))
        assert all(shape(answer) == shape(told[0]) for answer in told)
        assert {answer.json()["detail"] for answer in told} == {told[0].json()["detail"]}
