"""Who asks: nobody, somebody, somebody in doubt, somebody whom an untrusted peer names; and whose challenge it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import CONFIG, Door, read_lines, serving
from .steps import APPROVED, ASKED, BROWSER, BY_GRANT, TRANSFER, ask, problem, prove, verify


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def distrustful(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A server that trusts another proxy than the one that asks."""
    config = CONFIG.read_text().replace('trusted_proxies = ["127.0.0.1"]', 'trusted_proxies = ["10.0.0.0/8"]')
    config = config.replace('login_url = "/login"\n', "")
    with serving(request.param, tmp_path_factory.mktemp("distrustful"), config) as running:
        yield running


def last(door: Door) -> dict[str, object]:
    """The last line without a user."""
    return door.lines(None)[-1]


def test_nobody_from_a_program(door: Door) -> None:
    with door.client() as client:
        answer = client.post(TRANSFER)
    assert problem(answer) == (401, "login-required")
    assert answer.headers["www-authenticate"] == 'StepUp realm="bank"'
    line = last(door)
    assert (line["phase"], line["status"], line["trigger_reason"]) == ("trigger", "anonymous", "route_policy")
    assert (line["user_id"], line["session_id"]) == (None, None)


def test_nobody_from_a_browser_goes_to_the_login_page(door: Door) -> None:
    with door.client(**BROWSER) as browser:
        answer = browser.get("/export/all")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["cache-control"] == "no-store"
    assert last(door)["status"] == "anonymous"


def test_nobody_from_a_browser_without_a_login_page(distrustful: Door) -> None:
    with distrustful.client(**BROWSER) as browser:
        answer = browser.get("/export/all")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "text/html; charset=utf-8")


def test_a_session_without_a_user_is_nobody(door: Door) -> None:
    with door.client(**{"X-Auth-Session": "s1"}) as client:
        assert problem(client.post(TRANSFER)) == (401, "login-required")


def test_nobody_at_the_endpoints(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client, door.client() as anonymous:
        challenge = ask(client)
        assert problem(verify(anonymous, challenge, door.code(enrolled))) == (401, "login-required")
        assert problem(anonymous.get(challenge["page_url"])) == (401, "login-required")
        assert problem(anonymous.post(challenge["page_url"] + "/cancel")) == (401, "login-required")
    assert door.story(user) == ASKED


def test_what_an_untrusted_peer_says_counts_for_nothing(distrustful: Door) -> None:
    distrustful.enroll("alice")
    with distrustful.client("alice", **{"X-Forwarded-For": "10.0.0.1"}) as client:
        answer = client.post(TRANSFER)
    assert problem(answer) == (401, "login-required")
    line = last(distrustful)
    assert (line["phase"], line["status"], line["user_id"]) == ("trigger", "anonymous", None)
    assert line["origin"]["ip"] == "127.0.0.1"  # type: ignore[index] # a line's values are of any kind
    assert distrustful.story("alice") == []


def test_the_address_through_a_trusted_proxy(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **{"X-Forwarded-For": "198.51.100.7, 203.0.113.9, 127.0.0.1"}) as client:
        ask(client)
    origin = door.lines(user)[-1]["origin"]
    assert (origin["ip"], origin["ip_source"], origin["ip_doubt"]) == ("203.0.113.9", "xff", None)


def test_the_address_by_the_standard_header(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, Forwarded='for=6.6.6.6;x=", for="[2001:db8::7]:4711";proto=https') as client:
        ask(client)
    origin = door.lines(user)[-1]["origin"]
    assert (origin["ip"], origin["ip_source"], origin["ip_doubt"]) == ("2001:db8::7", "forwarded", None)


def test_two_headers_that_disagree_are_doubt_and_on_record(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **{"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=6.6.6.6"}) as client:
        ask(client)
    origin = door.lines(user)[-1]["origin"]
    assert (origin["ip"], origin["ip_source"]) == ("127.0.0.1", "peer")
    assert origin["ip_doubt"] == {"why": "disagreement", "xff": "203.0.113.9", "forwarded": "6.6.6.6"}


TWO_USERS = [
    b"X-Auth-User: %b\r\nX-Auth-User: eve\r\n",
    b"X-Auth-User: eve\r\nX-Auth-User: %b\r\n",
    b"X-Auth-User: %b,eve\r\n",
    b"X-Auth-User: %b\r\nX-Auth-Session: a\r\nX-Auth-Session: b\r\n",
]


@pytest.mark.parametrize("headers", TWO_USERS, ids=["twice", "twice-turned", "comma", "two-sessions"])
@pytest.mark.parametrize("where", [b"POST " + TRANSFER.encode(), b"GET /_stepup/status?path=/x"])
def test_two_answers_are_none(door: Door, user: str, enrolled: Enrolled, headers: bytes, where: bytes) -> None:
    before = len(door.lines(None))
    answer = door.raw(
        where + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
        + headers.replace(b"%b", user.encode()) + b"\r\n"
    )  # fmt: skip
    assert answer[9:12] == b"400", answer
    assert b"urn:stepup:bad-request" in answer
    assert door.story(user) == []
    lines = [line for line in door.lines(None)[before:] if line["event_type"] == "step_up"]
    assert [(line["phase"], line["status"], line["detail"]) for line in lines] == [("access", "refused", "identity")]
    assert lines[0]["http"]["status"] == 400
    met = ("transfer", "/accounts/{account}/transfer", "route_policy", "enforce")
    action, reason, mode = lines[0]["action"], lines[0]["trigger_reason"], lines[0]["policy"]["mode"]
    sensitive = where.startswith(b"POST")
    assert (action["route"], action["template"], reason, mode) == (
        met if sensitive else (None, None, "route_policy", None)
    )


@pytest.mark.parametrize("underscore", ["X_Auth_User", "x-auth_user", "X_AUTH_USER"])
def test_an_underscore_beside_the_hyphen(door: Door, user: str, enrolled: Enrolled, underscore: str) -> None:
    """Uvicorn hands it on, so the gate refuses it; gunicorn drops it, so that the gate never sees it."""
    with door.client(user, **{underscore: "eve"}) as client:
        answer = client.post(TRANSFER)
    if door.name == "asgi":
        assert problem(answer) == (400, "bad-request")
        assert door.story(user) == []
    else:
        assert problem(answer) == (401, "challenge-required")
        assert door.story(user) == ASKED
    assert door.story("eve") == []


def test_an_underscore_alone_is_not_the_header(door: Door) -> None:
    with door.client(X_Auth_User="eve") as client:
        assert client.post(TRANSFER).status_code == (400 if door.name == "asgi" else 401)
    assert door.story("eve") == []


@pytest.mark.parametrize("name", ["x" * 257, "a\tb"], ids=["long", "tab"])
def test_a_name_that_cannot_stand_in_a_line(door: Door, name: str) -> None:
    with door.client(name) as client:
        assert problem(client.post(TRANSFER)) == (400, "bad-request")


def test_the_same_header_twice_with_one_value_is_one_answer(door: Door, user: str, enrolled: Enrolled) -> None:
    """Servers under WSGI join them with a comma; there it is in doubt again."""
    answer = door.raw(
        f"POST {TRANSFER} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
        f"X-Auth-User: {user}\r\nX-Auth-User: {user}\r\n\r\n".encode()
    )
    assert answer[9:12] == (b"401" if door.name == "asgi" else b"400")


def test_the_challenge_of_another_user_or_session_does_not_exist(door: Door, user: str, enrolled: Enrolled) -> None:
    other = door.enroll(f"{user}-other")
    with door.client(user, session="mine") as mine:
        challenge = ask(mine)
        for thief in (door.client(other.user, session="mine"), door.client(user, session="another")):
            with thief:
                for code in (door.code(enrolled), door.code(other), "000000"):
                    assert problem(verify(thief, challenge, code)) == (404, "challenge-gone")
                assert problem(thief.get(challenge["page_url"])) == (404, "challenge-gone")
                assert problem(thief.post(challenge["page_url"] + "/cancel")) == (404, "challenge-gone")
        assert verify(mine, challenge, door.code(enrolled)).status_code == 200
        assert mine.post(TRANSFER).status_code == 200
    assert door.story(user) == [*APPROVED, *BY_GRANT]
    assert door.story(other.user) == []


def test_users_are_kept_apart_by_case_and_script(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client, door.client(user.upper()) as other:
        prove(client, door.code(enrolled))
        assert problem(other.post(TRANSFER)) == (403, "not-enrolled")


def test_a_name_beyond_ascii(door: Door, user: str) -> None:
    name = f"Jörg-{user}"
    enrolled = door.enroll(name)
    with door.client() as client:
        client.headers.update({b"X-Auth-User": name.encode()})
        prove(client, door.code(enrolled))
        assert client.post(TRANSFER).json()["stepup"]["user_id"] == name
    assert door.story(name) == [*APPROVED, *BY_GRANT]


@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_names_can_stay_out_of_the_lines(name: str, tmp_path: Path) -> None:
    config = CONFIG.read_text().replace("[audit]", '[audit]\nuser_id = "hmac"')
    with serving(name, tmp_path, config) as door, door.client("alice") as client:
        prove(client, door.code(door.enroll("alice")))
        assert client.post(TRANSFER).json()["stepup"]["user_id"] == "alice"
        users = {line["user_id"] for line in read_lines(tmp_path / "audit" / "stepup.jsonl") if line["user_id"]}
        assert "alice" not in (tmp_path / "audit" / "stepup.jsonl").read_text()
    assert [shown[:2] for shown in users] == ["h:"]
