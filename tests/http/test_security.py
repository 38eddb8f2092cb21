"""One's own security, as JSON through both doors: what there is, and taking away what is somebody else's, by a code."""

from __future__ import annotations

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import TRANSFER, ask, prove, verify


def test_what_a_person_has_and_what_happened(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **{"User-Agent": "Laptop/1.0"}) as laptop:
        verify(laptop, ask(laptop), door.wrong(enrolled))
        prove(laptop, door.code(enrolled))
        laptop.post(TRANSFER)
        door.lines(user)
        mine = laptop.get("/_stepup/security").json()
    assert (mine["authenticators"], mine["passkeys"], mine["recovery_codes_left"]) == (1, 0, 10)
    (device,) = mine["devices"]
    assert (device["user_agent"], device["this"]) == ("Laptop/1.0", True)
    assert [grant["route"] for grant in mine["grants"]] == ["transfer"]
    told = [f"{event['phase']}/{event['status']}" for event in mine["events"]]
    assert told[:3] == ["result/completed", "access/allowed", "outcome/approved"]
    assert "challenge/rejected" in told
    with door.client("mallory") as other:
        theirs = other.get("/_stepup/security").json()
    assert (theirs["devices"], theirs["grants"], theirs["events"]) == ([], [], [])


def test_a_code_takes_devices_and_grants_away(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as thief, door.client(user) as owner:
        prove(thief, enrolled.recovery_codes[0])
        assert thief.post(TRANSFER).status_code == 200
        mine = owner.get("/_stepup/security").json()
        wish = {
            "forget": [device["device_id"] for device in mine["devices"]],
            "revoke": [grant["id"] for grant in mine["grants"]],
        }
        assert len(wish["forget"]) == len(wish["revoke"]) == 1
        refused = owner.post("/_stepup/security", json={**wish, "current_code": door.wrong(enrolled)})
        assert refused.json()["type"] == "urn:stepup:invalid-code"
        assert thief.post(TRANSFER).status_code == 200
        door.offset(60)
        done = owner.post("/_stepup/security", json={**wish, "current_code": door.code(enrolled)}).json()
        assert (done["devices"], done["grants"]) == ([], [])
        assert thief.post(TRANSFER).status_code == 401
    kinds = [(line["event_type"], line["phase"]) for line in door.lines(user)]
    assert ("enrollment", "device_forgotten") in kinds
    assert ("grant", "revoked") in kinds
    assert ("enrollment", "rejected") in kinds


def test_what_was_ticked_is_so_still_after_a_wrong_code(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as owner, door.client(user) as other:
        prove(other, door.code(enrolled))
        prove(owner, enrolled.recovery_codes[0])
        first, second = (grant["id"] for grant in owner.get("/_stepup/grants").json()["grants"])
        page = owner.post("/_stepup/security", data={"revoke": first, "current_code": door.wrong(enrolled)}).text
    assert f'value="{first}" checked>' in page
    assert f'value="{second}">' in page


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"forget": "x"}', b'{"forget": [1]}', b'{"forget": [], "revoke": []}',
     b'{"forget": ["x"], "current_code": {}}', b'{"forget": ["' + b"x" * 65 + b'"]}'],
)  # fmt: skip
def test_what_is_no_wish_is_refused_before_any_code_counts(
    door: Door, user: str, enrolled: Enrolled, body: bytes
) -> None:
    with door.client(user) as client:
        answer = client.post("/_stepup/security", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:stepup:bad-request")
        assert client.put("/_stepup/security").status_code == 405
        cross = client.post("/_stepup/security", json={"forget": ["x"]}, headers={"sec-fetch-site": "cross-site"})
        assert cross.status_code == 400
    assert door.lines(user) == [line for line in door.lines(user) if line["event_type"] == "enrollment"]
    assert all(line["phase"] == "enrolled" for line in door.lines(user))


def test_nobody_sees_nothing(door: Door) -> None:
    with door.client() as client:
        assert client.get("/_stepup/security").status_code == 401
