"""What a passed challenge earns: for whom, for what, for how long, in which spelling, and how often."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stepup_mw.enrollment import Enrolled

from .doors import CONFIG, SECRET, Door, serving
from .steps import APPROVED, ASKED, BROWSER, BY_GRANT, TRANSFER, ask, problem, prove, verify

FOREIGN = "access/refused route_policy"
STALE = ["trigger/required stale_grant", "challenge/issued stale_grant"]
PAYROLL, BONUS, WIRE = "/payroll", "/bonus", "/wire"


def attributes(header: str) -> tuple[str, set[str]]:
    """A Set-Cookie header as its name and its attributes."""
    pair, *rest = header.split("; ")
    return pair.partition("=")[0], set(rest)


def details(door: Door, user: str) -> list[str | None]:
    return [line["detail"] for line in door.lines(user) if line["phase"] == "access" and line["status"] == "refused"]


def test_the_cookies_over_plain_http(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = client.post(TRANSFER)
        approved = verify(client, challenge.json(), door.code(enrolled))
    assert attributes(challenge.headers["set-cookie"]) == (
        "stepup-device",
        {"Path=/", "Max-Age=34560000", "HttpOnly", "SameSite=Lax"},
    )
    assert attributes(approved.headers["set-cookie"]) == (
        "stepup",
        {"Path=/", "Max-Age=300", "HttpOnly", "SameSite=Strict"},
    )


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_the_cookies_over_https(name: str, tmp_path: Path) -> None:
    config = CONFIG.read_text().replace("secure = false", 'secure = true\nsame_site = "lax"')
    with serving(name, tmp_path, config) as door, door.client("alice") as client:
        enrolled = door.enroll("alice")
        challenge = client.post(TRANSFER)
        approved = verify(client, challenge.json(), door.code(enrolled))
        value = approved.headers["set-cookie"].partition(";")[0].partition("=")[2]
        device = challenge.headers["set-cookie"].partition(";")[0]
        client.cookies.clear()
        bare_name = client.post(TRANSFER, headers={"Cookie": f"stepup={value}; {device}"})
        client.cookies.clear()
        full_name = client.post(TRANSFER, headers={"Cookie": f"__Host-stepup={value}; {device}"})
    assert attributes(challenge.headers["set-cookie"]) == (
        "__Host-stepup-device",
        {"Path=/", "Max-Age=34560000", "HttpOnly", "Secure", "SameSite=Lax"},
    )
    assert attributes(approved.headers["set-cookie"]) == (
        "__Host-stepup",
        {"Path=/", "Max-Age=300", "HttpOnly", "Secure", "SameSite=Lax"},
    )
    assert (bare_name.status_code, full_name.status_code) == (401, 200)


def test_a_client_without_cookies_sends_the_header(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        client.cookies.clear()
        grant = verify(client, challenge, door.code(enrolled)).json()["grant"]
        client.cookies.clear()
        assert client.post(TRANSFER, headers={"Step-Up-Grant": grant}).status_code == 200
        client.cookies.clear()
        assert client.post(TRANSFER).status_code == 401
    assert door.story(user) == [*APPROVED, *BY_GRANT, *ASKED]


def test_a_cookie_in_another_browser(door: Door, user: str, enrolled: Enrolled) -> None:
    """The cookie alone, taken from the browser it was made in, opens nothing."""
    with door.client(user) as client, door.client(user) as thief:
        prove(client, door.code(enrolled))
        stolen = client.cookies["stepup"]
        assert thief.post(TRANSFER, headers={"Cookie": f"stepup={stolen}"}).status_code == 401
        thief.cookies.clear()
        assert thief.post(TRANSFER, headers={"Step-Up-Grant": stolen}).status_code == 401
        assert client.post(TRANSFER).status_code == 200
    assert door.story(user) == [*APPROVED, FOREIGN, *ASKED, FOREIGN, *ASKED, *BY_GRANT]
    assert details(door, user) == ["foreign_grant", "foreign_grant"]


def test_a_grant_in_the_hands_of_another_user(door: Door, user: str, enrolled: Enrolled) -> None:
    other = door.enroll(f"{user}-other").user
    with door.client(user) as client, door.client(other) as thief:
        grant = prove(client, door.code(enrolled))["grant"]
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        assert thief.post(TRANSFER, headers={"Cookie": cookies}).status_code == 401
        assert thief.post(TRANSFER, headers={"Step-Up-Grant": grant}).status_code == 401
    assert door.story(other) == [FOREIGN, *ASKED, FOREIGN, *ASKED]
    assert details(door, other) == ["foreign_grant", "foreign_grant"]
    assert door.reached(other) == []


def test_a_grant_in_another_session_of_the_same_user(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, session="one") as client:
        grant = prove(client, door.code(enrolled))["grant"]
        assert client.post(TRANSFER, headers={"X-Auth-Session": "two"}).status_code == 401
    with door.client(user, session="two") as client:
        assert client.post(TRANSFER, headers={"Step-Up-Grant": grant}).status_code == 401
    assert details(door, user) == ["foreign_grant", "foreign_grant"]
    assert door.reached(user) == []


def test_every_single_character_of_the_token_counts(door: Door, user: str, enrolled: Enrolled) -> None:
    """Change any one of them: blocked, or (the unused bits at the end of base64) the very same grant."""
    with door.client(user) as client:
        challenge = ask(client)
        client.cookies.clear()
        grant = verify(client, challenge, door.code(enrolled)).json()["grant"]
        client.cookies.clear()
        passed = []
        for place, character in enumerate(grant):
            other = "B" if character != "B" else "C"
            tampered = grant[:place] + other + grant[place + 1 :]
            if client.post(TRANSFER, headers={"Step-Up-Grant": tampered}).status_code == 200:
                passed.append(place)
            client.cookies.clear()
    accesses = [line for line in door.lines(user) if line["phase"] == "access" and line["status"] == "allowed"]
    assert len(passed) <= 1
    assert passed in ([], [len(grant) - 1])
    assert [line["flow_id"] for line in accesses] == [challenge["flow_id"]] * len(passed)
    assert details(door, user) == ["forged_grant"] * (len(grant) - len(passed))


@pytest.mark.parametrize("token", ["", "x", ".", "a.b", "é", "~", "A" * 8000, "a.b.c"])
def test_a_made_up_grant(door: Door, user: str, enrolled: Enrolled, token: str) -> None:
    with door.client(user) as client:
        answer = client.post(TRANSFER, headers={b"Step-Up-Grant": token.encode()})
    assert problem(answer) == (401, "challenge-required")
    assert door.story(user) == ([FOREIGN, *ASKED] if token else ASKED)


def test_a_device_token_is_no_grant(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        ask(client)
        device = client.cookies["stepup-device"]
        assert client.post(TRANSFER, headers={"Step-Up-Grant": device}).status_code == 401
    assert details(door, user) == ["forged_grant"]


def test_stale_after_max_age(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        grant = prove(client, door.code(enrolled))["grant"]
        header = {"Step-Up-Grant": grant}
        door.offset(290)
        assert client.post(TRANSFER, headers=header).status_code == 200
        door.offset(301)
        stale = client.post(TRANSFER, headers=header)
        assert problem(stale) == (401, "challenge-required")
        assert verify(client, stale.json(), door.code(enrolled)).status_code == 200
        assert client.post(TRANSFER).status_code == 200
    assert door.story(user) == [*APPROVED, *BY_GRANT, *STALE, "outcome/approved stale_grant", *BY_GRANT]


def test_a_proof_of_the_future_opens_nothing(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        door.offset(120)
        prove(client, door.code(enrolled))
        door.offset(0)
        assert client.post(TRANSFER).status_code == 401
    assert door.reached(user) == []


def test_a_route_grant_opens_its_route_for_every_target_of_it(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        assert client.post("/accounts/77/transfer?amount=2", content=b"x").status_code == 200
        assert client.post(WIRE).status_code == 401
        assert client.post(PAYROLL).status_code == 401
        assert client.get("/export/all").status_code == 401
    assert door.story(user) == [*APPROVED, *BY_GRANT, *ASKED * 3]


def test_a_service_grant_opens_others_while_fresh_enough_for_each(door: Door, user: str, enrolled: Enrolled) -> None:
    """The age stands on the rule, the time on the proof: payroll takes ten minutes, bonus takes one."""
    with door.client(user) as client:
        assert ask(client, BONUS)["max_age"] == 60
        prove(client, door.code(enrolled), PAYROLL)
        assert client.post(PAYROLL).status_code == 200
        assert client.post(BONUS).status_code == 200
        assert client.post(TRANSFER).status_code == 200
        assert client.post(WIRE).status_code == 401
        door.offset(61)
        assert client.post(BONUS).status_code == 401
        assert client.post(PAYROLL).status_code == 200
        door.offset(301)
        assert client.post(TRANSFER).status_code == 401
        assert client.post(PAYROLL).status_code == 200
        door.offset(601)
        assert client.post(PAYROLL).status_code == 401
    asked = [line["action"]["route"] + " " + line["trigger_reason"] for line in door.lines(user)
             if line["phase"] == "trigger"]  # fmt: skip
    assert asked == [
        "bonus route_policy", "payroll route_policy", "wire route_policy", "bonus stale_grant",
        "transfer stale_grant", "payroll stale_grant",
    ]  # fmt: skip


def test_a_proof_for_bonus_is_good_for_payroll_longer(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled), BONUS)
        door.offset(120)
        assert client.post(BONUS).status_code == 401
        assert client.post(PAYROLL).status_code == 200


def test_a_recovery_code_does_not_open_a_rule_that_wants_totp(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, enrolled.recovery_codes[0], PAYROLL)
        assert client.post(TRANSFER).status_code == 200
        assert client.post("/totp-only").status_code == 401


def test_a_request_grant_opens_the_very_request_once(door: Door, user: str, enrolled: Enrolled) -> None:
    target, body = f"{WIRE}?to=7", b"amount=1"
    with door.client(user) as client:
        challenge = client.post(target, content=body).json()
        assert verify(client, challenge, door.code(enrolled)).status_code == 200
        assert client.post(target, content=b"amount=9").status_code == 401
        assert client.post(f"{WIRE}?to=8", content=body).status_code == 401
        assert client.post(WIRE, content=body).status_code == 401
        passed = client.post(target, content=body)
        again = client.post(target, content=body)
    assert (passed.status_code, passed.json()["body"], again.status_code) == (200, "amount=1", 401)
    assert [line["phase"] for line in door.lines(user) if line["event_type"] == "grant"] == ["used_up"]
    assert len(door.reached(user)) == 1
    used = [f"{line['event_type']}/{line['phase']}" for line in door.lines(user)]
    assert used.index("grant/used_up") == used.index("step_up/access") - 1


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_a_request_grant_is_bound_to_the_method_and_the_path(name: str, tmp_path: Path) -> None:
    config = CONFIG.read_text().replace('path = "/wire"\nmethods = ["POST"]', 'path = "/wire/{to}"')
    with serving(name, tmp_path, config) as door, door.client("alice") as client:
        prove(client, door.code(door.enroll("alice")), "/wire/7")
        assert client.post("/wire/8").status_code == 401
        assert client.put("/wire/7").status_code == 401
        assert client.post("/wire/7").status_code == 200


def test_sixteen_at_once_and_one_wins(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        grant = prove(client, door.code(enrolled), WIRE)["grant"]
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())

    def wire(number: int) -> int:
        token = {"Step-Up-Grant": grant} if number % 2 else {"Cookie": cookies}
        with door.client(user, **token) as one:
            return one.post(WIRE).status_code

    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(wire, range(16)))
    assert sorted(statuses) == [200] + [401] * 15
    assert len(door.reached(user)) == 1
    assert [line for line in door.story(user) if line.startswith("access/allowed")] == BY_GRANT[:1]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_cap_cannot_be_bound(door: Door, user: str, enrolled: Enrolled, chunked: bool) -> None:
    body = b"x" * (64 * 1024 + 1)
    with door.client(user) as client:
        content: Any = iter([body[:40_000], body[40_000:]]) if chunked else body
        answer = client.post(WIRE, content=content)
    with door.client(user) as client:  # a server may close a connection whose body nobody has read
        assert client.post(WIRE, content=body[:-1]).status_code == 401
    assert problem(answer) == (413, "bad-request")
    assert door.story(user) == ["access/refused route_policy", *ASKED]
    assert details(door, user) == ["body_too_large"]


def test_a_person_whose_form_cannot_be_bound_gets_a_way_back_to_it(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER, Referer=f"{door.url}/accounts/7?a=1", Connection="close") as browser:
        answer = browser.post(WIRE, data={"memo": "x" * 70_000})
    assert answer.status_code == 413
    assert "the form is still filled in" in answer.text
    assert '<a class="button" href="/accounts/7?a=1">' in answer.text


def test_a_bound_body_reaches_the_app_whole(door: Door, user: str, enrolled: Enrolled) -> None:
    body = b"0123456789abcdef" * 4096
    with door.client(user) as client:
        challenge = client.post(WIRE, content=iter([body[:10], body[10:]])).json()
        verify(client, challenge, door.code(enrolled))
        passed = client.post(WIRE, content=iter([body[:5000], body[5000:]]))
    assert (passed.status_code, passed.json()["body"]) == (200, body.decode())


def test_one_browser_holds_several_grants(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        prove(client, door.code(enrolled, steps=1), "/totp-only")
        assert client.cookies["stepup"].count("~") == 1
        assert client.post(TRANSFER).status_code == 200
        assert client.post("/totp-only").status_code == 200


def test_garbage_beside_a_good_grant_does_not_matter(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        held = client.cookies["stepup"]
        device = client.cookies["stepup-device"]
        client.cookies.clear()
        for cookie in (
            f"stepup=junk~{held}; stepup-device={device}",
            f"stepup=junk; stepup={held}; stepup-device={device}",
            f'a="b; stepup={held}; stepup-device=junk; stepup-device={device}',
        ):
            assert client.post(TRANSFER, headers={"Cookie": cookie}).status_code == 200


def test_a_new_factor_voids_earlier_grants(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled))
        door.enroll(user)
        assert client.post(TRANSFER).status_code == 401
    assert door.reached(user) == []


def test_preflight_tells_and_changes_nothing(door: Door, user: str, enrolled: Enrolled) -> None:
    def status(client: httpx2.Client, method: str, path: str) -> dict[str, Any]:
        answer = client.get("/_stepup/status", params={"method": method, "path": path})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert "score" not in answer.text
        return dict(answer.json())

    with door.client(user) as client:
        assert status(client, "POST", "/public") == {"sensitive": False, "proof_required": False}
        assert status(client, "POST", "/rename")["proof_required"] is False
        before = status(client, "POST", TRANSFER)
        assert before == {
            "sensitive": True, "route": "transfer", "proof_required": True, "fresh_for_s": 0, "max_age": 300,
            "grant": "route", "factors": ["totp", "recovery_code"], "enrolled": True,
            "recovery_codes_left": 10, "duplicate_codes": 0,
        }  # fmt: skip
        assert door.story(user) == []
        prove(client, door.code(enrolled))
        after = status(client, "POST", TRANSFER)
        assert after["proof_required"] is False
        assert 290 <= after["fresh_for_s"] <= 300
        assert status(client, "POST", WIRE)["proof_required"] is True
        assert door.story(user) == APPROVED
        assert client.get("/_stepup/status", params={"path": "no-slash"}).status_code == 400
        assert client.get("/_stepup/status?" + "&a=b" * 50).status_code == 400
    with door.client() as anonymous:
        assert problem(anonymous.get("/_stepup/status?path=/x")) == (401, "login-required")


def test_preflight_takes_no_use_of_a_single_use_grant(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled), WIRE)
        for _ in range(3):
            client.get("/_stepup/status", params={"method": "POST", "path": WIRE})
        assert client.post(WIRE).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_a_grant_outlives_a_restart_but_not_a_changed_rule(name: str, tmp_path: Path) -> None:
    config = CONFIG.read_text()
    with serving(name, tmp_path, config) as door, door.client("alice") as client:
        enrolled = door.enroll("alice")
        prove(client, door.code(enrolled))
        cookies = dict(client.cookies)
    with serving(name, tmp_path, config) as door, door.client("alice") as client:
        client.cookies.update(cookies)
        assert client.post(TRANSFER).status_code == 200
    changed = config.replace('name = "transfer"', 'name = "transfer"\nmax_age = "4m"')
    with serving(name, tmp_path, changed) as door, door.client("alice") as client:
        client.cookies.update(cookies)
        assert client.post(TRANSFER).status_code == 401


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_an_authenticator_outlives_a_new_key_and_no_grant_the_withdrawal_of_its_own(name: str, tmp_path: Path) -> None:
    config, newer = CONFIG.read_text(), "another-long-enough-secret-for-the-rotation-42"
    with serving(name, tmp_path, config) as door:
        enrolled = door.enroll("alice")
        with door.client("alice") as client:
            prove(client, door.code(enrolled))
            cookies = dict(client.cookies)
    with serving(name, tmp_path, config, secret=f"{SECRET},{newer}") as door, door.client("alice") as client:
        prove(client, door.code(enrolled, steps=1))
        assert client.post(TRANSFER).status_code == 200
    with serving(name, tmp_path, config, secret=newer) as door, door.client("alice") as client:
        client.cookies.update(cookies)
        assert client.post(TRANSFER).status_code == 401
        assert details(door, "alice") == ["forged_grant"]
