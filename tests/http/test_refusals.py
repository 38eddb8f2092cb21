"""What is refused and what passes without a challenge, how a challenge ends, and how a 401 says what it wants."""

from __future__ import annotations

import re

import pytest

from stepup_mw.enrollment import Enrolled

from .doors import CONFIG, Door, read_lines, serving
from .steps import APPROVED, ASKED, BROWSER, BY_GRANT, PROBLEM, TRANSFER, WRONG, ask, problem, prove, verify

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
CHALLENGE = re.compile(rf'({TOKEN}) +({TOKEN}="(?:[^"\\]|\\.)*"(?:, *{TOKEN}="(?:[^"\\]|\\.)*")*)')
PARAMETER = re.compile(rf'({TOKEN})="((?:[^"\\]|\\.)*)"(?:, *|$)')


def parse_challenge(header: str) -> tuple[str, dict[str, str]]:
    """One challenge of WWW-Authenticate (RFC 9110 section 11.6.1): its scheme and parameters, each named once."""
    whole = CHALLENGE.fullmatch(header)
    assert whole is not None, header
    pairs = PARAMETER.findall(whole[2])
    assert len(pairs) == len(dict(pairs))
    return whole[1], dict(pairs)


def test_the_challenge_of_a_client_with_cookies(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        header = client.post(TRANSFER).headers["www-authenticate"]
    assert parse_challenge(header) == ("StepUp", {"realm": "bank", "max_age": "300"})


@pytest.mark.parametrize("credentials", ["Bearer abc", "bearer abc", "DPoP abc", "BEARER"])
def test_the_challenge_of_a_client_with_an_access_token(
    door: Door, user: str, enrolled: Enrolled, credentials: str
) -> None:
    with door.client(user, Authorization=credentials) as client:
        scheme, parameters = parse_challenge(client.post("/bonus").headers["www-authenticate"])
    description = parameters.pop("error_description")
    assert scheme == "Bearer"
    assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", description)  # RFC 6750 section 3
    assert parameters == {
        "error": "insufficient_user_authentication",
        "acr_values": "urn:stepup:totp urn:stepup:recovery_code",
        "max_age": "60",
    }


def test_other_credentials_are_no_access_token(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, Authorization="Basic YTpi") as client:
        assert parse_challenge(client.post(TRANSFER).headers["www-authenticate"])[0] == "StepUp"


def test_no_rule_no_line(door: Door) -> None:
    before = door.trail()
    with door.client("alice") as client:
        answer = client.post("/public?x=1", content=b"body")
    said = answer.json()
    assert answer.status_code == 200
    assert (said["method"], said["path"], said["stepup"], said["body"]) == ("POST", "/public", None, "body")
    assert said["on_record"] is None
    assert door.trail() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["asgi", "wsgi"])
def test_the_public_part_is_untouched(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Byte for byte what the bare app gives, but for the date."""
    requests = [
        b"GET /public HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /a/b?c=d HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345",
        b"POST /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HEAD /public HTTP/1.1\r\nHost: x\r\nConnection: close\r\nStep-Up-Code: 123456\r\n\r\n",
        b"PUT /accounts/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\nCookie: stepup=x\r\n\r\n",
        b"GET /_stepupx HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"OPTIONS /public%0a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ]
    config = CONFIG.read_text()
    with (
        serving(name, tmp_path_factory.mktemp("bare"), config, app=f"bare_{name}") as bare,
        serving(name, tmp_path_factory.mktemp("wrapped"), config) as wrapped,
    ):
        for request in requests:
            answers = [re.sub(rb"(?i)date: [^\r]*", b"", each.raw(request)) for each in (bare, wrapped)]
            assert answers[0] == answers[1]
            assert answers[0][9:12] == b"200"
        assert read_lines(wrapped.folder / "audit" / "stepup.jsonl") == []


def test_below_the_threshold(door: Door, user: str) -> None:
    with door.client(user) as client:
        passed = client.post("/rename")
    assert passed.status_code == 200
    assert (passed.json()["stepup"]["basis"], passed.json()["stepup"]["proved_at"]) == ("below_threshold", None)
    assert door.story(user) == [
        "access/allowed below_threshold below_threshold",
        "result/completed below_threshold below_threshold",
    ]


def test_denied(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        plain = client.post("/close")
        coded = client.post("/close", headers={"Step-Up-Code": door.code(enrolled)})
        page = client.post("/close", headers=BROWSER)
    assert problem(plain) == problem(coded) == (403, "denied")
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert plain.json()["flow_id"] == door.lines(user)[1]["flow_id"]
    assert door.story(user) == ["trigger/denied risk_denied"] * 3
    assert door.reached(user) == []


def test_not_enrolled(door: Door, user: str) -> None:
    with door.client(user) as client:
        plain = client.post(TRANSFER)
        coded = client.post(TRANSFER, headers={"Step-Up-Code": "123456"})
        page = client.get("/export/all", headers=BROWSER)
    assert problem(plain) == problem(coded) == (403, "not-enrolled")
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert door.story(user) == ["trigger/not_enrolled route_policy"] * 3
    assert door.reached(user) == []


REPORTED = ["access/allowed {} report_mode", "result/completed {} report_mode"]


@pytest.mark.parametrize(
    ("path", "would", "reason"),
    [("/watch", "challenge", "route_policy"), ("/watch-close", "deny", "risk_denied")],
)
def test_report_mode(door: Door, user: str, path: str, would: str, reason: str) -> None:
    with door.client(user) as client:
        passed = client.post(path)
    assert (passed.status_code, passed.json()["stepup"]["basis"]) == (200, "report_mode")
    assert door.story(user) == [line.format(reason) for line in REPORTED]
    lines = door.lines(user)
    assert [line["would"] for line in lines] == [would, would]
    assert {line["policy"]["mode"] for line in lines} == {"report"}


def test_report_mode_without_a_user(door: Door) -> None:
    with door.client() as client:
        assert client.post("/watch").status_code == 200
    access, result = [line for line in door.lines(None) if line.get("would")][-2:]
    assert (access["phase"], access["would"], access["user_id"]) == ("access", "challenge", None)
    assert result["phase"] == "result"
    assert door.reached(None)[-1]["stepup"]["basis"] == "report_mode"


def test_cancelled_by_a_program(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        cancelled = client.post(challenge["page_url"] + "/cancel")
        twice = client.post(challenge["page_url"] + "/cancel")
        late = verify(client, challenge, door.code(enrolled))
    assert (cancelled.status_code, cancelled.json()) == (
        200,
        {"status": "denied", "flow_id": challenge["flow_id"]},
    )
    assert problem(twice) == problem(late) == (410, "challenge-gone")
    assert door.story(user) == [*ASKED, "outcome/denied route_policy"]


def test_the_state_of_a_challenge(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        verify(client, challenge, door.wrong(enrolled))
        state = client.get(challenge["page_url"])
        verify(client, challenge, door.code(enrolled))
        ended = client.get(challenge["page_url"])
    assert state.status_code == 200
    assert state.json() == {
        "status": "open", "flow_id": challenge["flow_id"], "challenge_id": challenge["challenge_id"],
        "factors": ["totp", "recovery_code"], "max_age": 300, "attempts_left": 4,
        "expires_at": challenge["expires_at"], "duplicate_codes": 0,
    }  # fmt: skip
    assert problem(ended) == (410, "challenge-gone")


def test_an_answered_challenge_takes_no_second_answer(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        verify(client, challenge, door.code(enrolled))
        assert problem(verify(client, challenge, door.code(enrolled, steps=1))) == (410, "challenge-gone")
        assert problem(verify(client, challenge, "000000")) == (410, "challenge-gone")
    assert door.story(user) == APPROVED


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("challenges/unknown", "challenge-gone"),
        ("challenges/" + "A" * 24, "challenge-gone"),
        ("challenges/a/b", "not-found"),
        ("challenges", "not-found"),
        ("status/x", "not-found"),
        ("no-such-endpoint", "not-found"),
        ("", "not-found"),
    ],
)
def test_what_does_not_exist(door: Door, user: str, enrolled: Enrolled, path: str, kind: str) -> None:
    with door.client(user) as client:
        assert problem(client.get(f"/_stepup/{path}")) == (404, kind)
    assert door.runs() == [run for run in door.runs() if "_stepup" not in run["path"]]


@pytest.mark.parametrize(
    ("method", "below", "allow"),
    [
        ("GET", "/verify", "POST"),
        ("DELETE", "", "GET, HEAD"),
        ("PUT", "/cancel", "POST"),
        ("POST", "/../../status?method=POST&path=/x", "GET, HEAD"),
    ],
)
def test_a_method_that_an_endpoint_does_not_take(
    door: Door, user: str, enrolled: Enrolled, method: str, below: str, allow: str
) -> None:
    with door.client(user) as client:
        answer = client.request(method, ask(client)["page_url"] + below)
    assert (problem(answer), answer.headers["allow"]) == ((405, "method-not-allowed"), allow)
    assert door.story(user) == ASKED


def test_looking_changes_nothing(door: Door, user: str, enrolled: Enrolled) -> None:
    """GET and HEAD, also of a prefetching browser, leave challenge and counters as they are."""
    with door.client(user) as client:
        challenge = ask(client)
        for method in ("GET", "HEAD", "HEAD"):
            looked = client.request(method, challenge["page_url"], headers={**BROWSER, "Sec-Purpose": "prefetch"})
            assert looked.status_code == 200
            assert client.request(method, challenge["verify_url"] + "?code=123456").status_code == 405
        assert client.get(challenge["page_url"]).json()["attempts_left"] == 5
    assert door.story(user) == ASKED


@pytest.mark.parametrize(("tried", "outcome"), [(True, "expired"), (False, "abandoned")])
def test_a_challenge_that_nobody_comes_back_to(
    door: Door, user: str, enrolled: Enrolled, tried: bool, outcome: str
) -> None:
    with door.client(user) as client:
        challenge = ask(client)
        if tried:
            verify(client, challenge, door.wrong(enrolled))
        door.offset(301)
        late = verify(client, challenge, door.code(enrolled))
        state = client.get(challenge["page_url"])
    assert problem(late) == problem(state) == (410, "challenge-gone")
    expected = [*ASKED, *[WRONG] * tried, f"outcome/{outcome} route_policy"]
    assert door.settled(user, len(expected)) == expected


def test_the_oldest_of_very_many_challenges_is_abandoned(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        for _ in range(33):
            ask(client)
    assert door.settled(user, 67) == [*ASKED * 33, "outcome/abandoned route_policy"]


@pytest.mark.parametrize("how", ["500", "raise"])
def test_an_app_that_fails(door: Door, user: str, how: str) -> None:
    with door.client(user) as client:
        assert client.post(f"/fail/{how}").status_code == 500
    assert door.story(user) == [
        "access/allowed below_threshold below_threshold",
        "result/failed below_threshold below_threshold",
    ]
    result = door.lines(user)[-1]
    assert result["http"]["status"] == (500 if how == "500" else None)
    assert result["http"]["duration_ms"] >= 0


def test_a_client_that_has_gone(door: Door, user: str) -> None:
    with door.client(user) as client, client.stream("POST", "/fail/slow") as answer:
        next(answer.iter_raw())
    story = door.settled(user, 2)
    assert story[1] == "result/aborted below_threshold below_threshold"
    assert door.lines(user)[-1]["http"]["status"] == 200


def test_head_is_guarded_as_get_and_options_only_where_a_rule_says_so(
    door: Door, user: str, enrolled: Enrolled
) -> None:
    with door.client(user) as client:
        head = client.head("/export/all")
        assert (head.status_code, head.content, head.headers["content-type"]) == (401, b"", PROBLEM)
        assert client.options("/export/all").json()["stepup"] is None
        assert client.options("/live/room").status_code == 401
        prove(client, door.code(enrolled), "/export/all", "GET")
        assert client.head("/export/all").status_code == 200
    assert door.story(user) == [*ASKED, *ASKED, *APPROVED, *BY_GRANT]
