"""Enrollment through both doors: the first authenticator, more of them, one in the place of another, one less."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pyotp
import pytest

from stepup_mw.enrollment import Enrolled

from .doors import CONFIG, Door, serving
from .steps import APPROVED, BROWSER, TRANSFER, ask, problem, prove, verify

ENROLL = "/_stepup/enroll"
EXPORT = "/export/2026/all.csv"


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def shared_self_door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A server where people enroll themselves, and every rule takes recovery codes."""
    config = CONFIG.read_text().replace('ttl = "5m"', 'ttl = "5m"\nenroll = "self"').replace('factors = ["totp"]\n', "")
    with serving(request.param, tmp_path_factory.mktemp(f"self-{request.param}"), config) as running:
        yield running


@pytest.fixture
def self_door(shared_self_door: Door) -> Iterator[Door]:
    """Two seconds into a time step, so that none ends between a code and its judgement; back to the true time after."""
    shared_self_door.offset(2 - time.time() % 30)
    yield shared_self_door
    shared_self_door.offset(0)


def later(door: Door, seconds: float) -> None:
    """Let time pass."""
    door.offset(door.now() - time.time() + seconds)


def code_of(door: Door, secret: str, *, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(door.now() + 30 * steps)


def begin(client: httpx2.Client) -> dict[str, Any]:
    """What ``GET enroll`` says to a program."""
    answer = client.get(ENROLL)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def confirm(client: httpx2.Client, begun: dict[str, Any], code: str, **more: str) -> httpx2.Response:
    return client.post(ENROLL, json={"pending": begun["pending"], "code": code, **more})


def first(door: Door, client: httpx2.Client, **more: str) -> tuple[str, dict[str, Any]]:
    """Enroll a first authenticator; gives its secret and what the answer said."""
    begun = begin(client)
    answer = confirm(client, begun, code_of(door, begun["secret"]), **more)
    assert answer.status_code == 200, answer.text
    return begun["secret"], dict(answer.json())


def enrollments(door: Door, user: str) -> list[tuple[str, dict[str, Any]]]:
    return [(line["phase"], line["detail"]) for line in door.lines(user) if line["event_type"] == "enrollment"]


def test_a_program_enrolls_and_proves(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        refused = client.post(TRANSFER)
        assert problem(refused) == (403, "not-enrolled")
        assert refused.json()["enroll_url"] == ENROLL
        secret, told = first(self_door, client, label="My phone")
        assert told["status"] == "enrolled"
        assert len(told["recovery_codes"]) == told["recovery_codes_left"] == 10
        begun = begin(client)
        assert begun["enrolled"]
        assert [(held["label"], held["factor_id"]) for held in begun["factors"]] == [("My phone", told["factor_id"])]
        prove(client, code_of(self_door, secret, steps=1))
    assert self_door.story(user) == ["trigger/not_enrolled route_policy", *APPROVED]
    [(phase, detail)] = enrollments(self_door, user)
    assert (phase, detail["method"], detail["by"], detail["proof"]) == ("enrolled", "totp", "self", None)
    assert (detail["factor_id"], detail["ip"]) == (told["factor_id"], "127.0.0.1")


def test_the_code_that_confirmed_is_used_up(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        secret, _ = first(self_door, client)
        again = verify(client, ask(client), code_of(self_door, secret))
    assert problem(again) == (401, "invalid-code")


def test_an_unconfirmed_secret_verifies_nothing(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        shown = begin(client)
        assert client.post(TRANSFER, headers={"Step-Up-Code": code_of(self_door, shown["secret"])}).status_code == 403
        secret, _ = first(self_door, client)
        assert secret != shown["secret"]
        wrong = client.post(TRANSFER, headers={"Step-Up-Code": code_of(self_door, shown["secret"])})
        assert problem(wrong) == (401, "invalid-code")
    assert self_door.reached(user) == []


def test_a_pending_secret_is_of_one_person_in_one_session_for_ten_minutes_and_once(self_door: Door, user: str) -> None:
    with self_door.client(user) as client, self_door.client(user, session="s2") as elsewhere:
        begun = begin(client)
        code = code_of(self_door, begun["secret"])
        assert problem(confirm(elsewhere, begun, code)) == (410, "challenge-gone")
        with self_door.client(f"{user}-other") as other:
            assert problem(confirm(other, begun, code)) == (410, "challenge-gone")
        later(self_door, 601)
        assert problem(confirm(client, begun, code_of(self_door, begun["secret"]))) == (410, "challenge-gone")
        later(self_door, -601)
        assert confirm(client, begun, code_of(self_door, begun["secret"])).status_code == 200
        again = confirm(
            client, begun, code_of(self_door, begun["secret"], steps=1),
            current_code=code_of(self_door, begun["secret"], steps=1),
        )  # fmt: skip
        assert problem(again) == (410, "challenge-gone")
        assert len(begin(client)["factors"]) == 1
        for token in ("", "x", begun["pending"][:-4], begun["pending"] + "A"):
            assert client.post(ENROLL, json={"pending": token, "code": code}).status_code == 410


def test_a_pending_secret_is_good_once_also_when_its_authenticator_is_gone(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        secret, _ = first(self_door, client)
        begun = begin(client)
        later(self_door, 60)
        added = confirm(client, begun, code_of(self_door, begun["secret"]), current_code=code_of(self_door, secret))
        later(self_door, 60)
        gone = {"action": "remove", "factor_id": added.json()["factor_id"], "current_code": code_of(self_door, secret)}
        assert client.post(ENROLL, json=gone).status_code == 200
        later(self_door, 60)
        again = confirm(client, begun, code_of(self_door, begun["secret"]), current_code=code_of(self_door, secret))
        assert problem(again) == (410, "challenge-gone")
        assert len(begin(client)["factors"]) == 1


def test_a_wrong_code_confirms_nothing_and_counts(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        begun = begin(client)
        far = confirm(client, begun, code_of(self_door, begun["secret"], steps=8))
        wrong = [confirm(client, begun, code) for code in ("", "12345", "\uff10" * 6, "abcdef")]
        locked = confirm(client, begun, code_of(self_door, begun["secret"]))
        assert problem(far) == (401, "clock-skew")
        assert far.json()["server_time"].endswith("Z")
        assert [problem(answer) for answer in wrong] == [(401, "invalid-code")] * 4
        assert [answer.json()["attempts_left"] for answer in wrong] == [3, 2, 1, 0]
        assert wrong[0].json()["field"] == "code"
        assert problem(locked) == (429, "locked")
        assert not begin(client)["enrolled"]
    assert [(phase, detail["verdict"]) for phase, detail in enrollments(self_door, user)] == [
        ("rejected", "skewed"),
        *[("rejected", "wrong")] * 4,
        ("rejected", "locked"),
    ]


def test_one_more_authenticator_needs_the_one_there_is(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        secret, _ = first(self_door, client, label="old")
        prove(client, code_of(self_door, secret, steps=1))
        begun = begin(client)
        assert begun["current_code_by"] == ["totp", "recovery_code"]
        new = code_of(self_door, begun["secret"])
        for current in ("", "000000", new):
            refused = confirm(client, begun, new, current_code=current)
            assert problem(refused) == (401, "invalid-code")
            assert refused.json()["field"] == "current_code"
        later(self_door, 90)
        assert client.post(TRANSFER).status_code == 200
        told = confirm(
            client, begun, code_of(self_door, begun["secret"]), current_code=code_of(self_door, secret), label="new"
        ).json()
        assert (told["status"], told["recovery_codes"], told["recovery_codes_left"]) == ("enrolled", [], 10)
        assert [held["label"] for held in begin(client)["factors"]] == ["old", "new"]
        assert client.post(TRANSFER).status_code == 401  # the grant of before is void
        for each in (secret, begun["secret"]):
            later(self_door, 60)
            inline = {"Step-Up-Code": code_of(self_door, each)}
            assert client.post(TRANSFER, headers=inline).status_code == 200


def test_one_in_the_place_of_another(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        secret, told = first(self_door, client)
        begun = begin(client)
        replaced = confirm(
            client, begun, code_of(self_door, begun["secret"]),
            current_code=code_of(self_door, secret, steps=1), replace=told["factor_id"],
        )  # fmt: skip
        assert replaced.json()["status"] == "replaced"
        assert set(replaced.json()["recovery_codes"]).isdisjoint(told["recovery_codes"])
        later(self_door, 120)
        assert problem(verify(client, ask(client), code_of(self_door, secret))) == (401, "invalid-code")
        assert problem(verify(client, ask(client), told["recovery_codes"][0])) == (401, "invalid-code")
        prove(client, code_of(self_door, begun["secret"]))
    assert [(phase, detail["proof"]) for phase, detail in enrollments(self_door, user)] == [
        ("enrolled", None),
        ("replaced", "totp"),
    ]


def test_a_lost_phone_is_replaced_by_a_recovery_code(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        _, told = first(self_door, client)
        begun = begin(client)
        replaced = confirm(
            client, begun, code_of(self_door, begun["secret"]),
            current_code=told["recovery_codes"][3].lower(), replace=told["factor_id"],
        )  # fmt: skip
        assert replaced.json()["status"] == "replaced"
        prove(client, code_of(self_door, begun["secret"], steps=1))
    assert enrollments(self_door, user)[1][1]["proof"] == "recovery_code"


def test_where_a_rule_bars_recovery_codes_they_change_nothing(door: Door, user: str, enrolled: Enrolled) -> None:
    """The shared server has such a rule: a recovery code must not open it by way of a new authenticator."""
    with door.client(user) as client:
        begun = begin(client)
        assert begun["current_code_by"] == ["totp"]
        refused = confirm(client, begun, code_of(door, begun["secret"]), current_code=enrolled.recovery_codes[0])
        assert problem(refused) == (401, "invalid-code")
        assert begin(client)["recovery_codes_left"] == 10


def test_removed_but_never_the_last(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        secret, told = first(self_door, client, label="old")
        last = client.post(ENROLL, json={"action": "remove", "factor_id": told["factor_id"], "current_code": "1"})
        assert problem(last) == (400, "bad-request")
        begun = begin(client)
        added = confirm(
            client, begun, code_of(self_door, begun["secret"]), current_code=code_of(self_door, secret, steps=1)
        ).json()
        near = {code_of(self_door, key, steps=n) for key in (secret, begun["secret"]) for n in range(-30, 31)}
        code = next(code for code in ("000000", "111111", "222222") if code not in near)
        wrong = client.post(ENROLL, json={"action": "remove", "factor_id": told["factor_id"], "current_code": code})
        assert problem(wrong) == (401, "invalid-code")
        unknown = client.post(ENROLL, json={"action": "remove", "factor_id": "none", "current_code": "000000"})
        assert problem(unknown) == (400, "bad-request")
        later(self_door, 60)
        gone = client.post(
            ENROLL,
            json={
                "action": "remove", "factor_id": told["factor_id"],
                "current_code": code_of(self_door, begun["secret"]),
            },
        )  # fmt: skip
        assert (gone.status_code, gone.json()["status"]) == (200, "removed")
        assert [held["factor_id"] for held in begin(client)["factors"]] == [added["factor_id"]]
        later(self_door, 60)
        assert verify(client, ask(client), code_of(self_door, secret)).status_code == 401
    assert [phase for phase, _ in enrollments(self_door, user)] == ["enrolled", "enrolled", "rejected", "removed"]


def test_no_more_than_ten(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        secret, _ = first(self_door, client)
        for _ in range(9):
            later(self_door, 60)
            begun = begin(client)
            answer = confirm(
                client, begun, code_of(self_door, begun["secret"]), current_code=code_of(self_door, secret)
            )
            assert answer.status_code == 200, answer.text
        full = confirm(client, begin(client), "000000", current_code="000000")
        assert problem(full) == (400, "bad-request")


def test_two_who_enroll_at_once_are_one(self_door: Door, user: str) -> None:
    """The first authenticator of an account takes no other's place: the second who comes must prove it."""
    with self_door.client(user) as one, self_door.client(user, session="s2") as two:
        begun, late = begin(one), begin(two)
        assert confirm(one, begun, code_of(self_door, begun["secret"])).status_code == 200
        refused = confirm(two, late, code_of(self_door, late["secret"]))
        assert problem(refused) == (401, "invalid-code")
        assert refused.json()["field"] == "current_code"


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
    ids=["cross-site", "same-site", "other-origin"],
)
def test_a_form_of_another_site_enrolls_nothing(self_door: Door, user: str, headers: dict[str, str]) -> None:
    with self_door.client(user) as client:
        begun = begin(client)
        data = {"pending": begun["pending"], "code": code_of(self_door, begun["secret"])}
        assert client.post(ENROLL, data=data, headers=headers).status_code == 400
        assert client.post(ENROLL, json=data, headers=headers).status_code == 400
        assert not begin(client)["enrolled"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"code": 123456}', "application/json"),
        (b'{"pending": null}', "application/json"),
        (b'{"code": "' + b"1" * 65 + b'"}', "application/json"),
        (b'{"label": "' + b"x" * 65 + b'"}', "application/json"),
        (b'{"label": "a\\u202eb"}', "application/json"),
        (b'{"label": "a\\nb"}', "application/json"),
        (b'{"action": "steal"}', "application/json"),
        (b" " * 9000, "application/json"),
        (b"action=steal", "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_change_is_refused(self_door: Door, user: str, body: bytes, kind: str) -> None:
    with self_door.client(user) as client:
        assert client.post(ENROLL, content=body, headers={"Content-Type": kind}).status_code == 400
    assert enrollments(self_door, user) == []


def test_who_may_not(door: Door, user: str) -> None:
    """``enroll = "admin"``, and nobody at all."""
    with door.client(user) as client:
        assert problem(client.get(ENROLL)) == (403, "not-enrolled")
        assert problem(client.post(ENROLL, json={"pending": "x", "code": "000000"})) == (403, "not-enrolled")
        page = client.get(ENROLL, headers=BROWSER)
        assert (page.status_code, "<svg" in page.text) == (403, False)
        assert "enroll_url" not in client.post(TRANSFER).json()
    with door.client() as nobody:
        assert problem(nobody.get(ENROLL)) == (401, "login-required")
        assert nobody.put(ENROLL).status_code == 405


def test_a_browser_enrolls_and_goes_on(self_door: Door, user: str) -> None:
    target = f"{EXPORT}?since=2026&name=a%20b"
    with self_door.client(user, **BROWSER) as browser:
        sent = browser.get(target)
        assert sent.status_code == 303
        place = sent.headers["location"]
        assert place.startswith(f"{ENROLL}?back=")
        assert "2026" not in place
        page = browser.get(place)
        assert page.status_code == 200
        fields = hidden(page.text)
        secret = shown_secret(page.text)
        wrong = browser.post(ENROLL, data={**fields, "code": "000 000"})
        assert wrong.status_code == 401
        assert "of the new authenticator is wrong" in wrong.text
        assert shown_secret(wrong.text) == secret  # nobody has to scan it twice
        code = code_of(self_door, secret)
        done = browser.post(ENROLL, data={**hidden(wrong.text), "code": f"{code[:3]} {code[3:]}", "label": "Handy"})
        assert done.status_code == 200
        codes = re.findall(r"[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}", done.text)
        assert len(codes) == 10
        onward = re.search(r'<a class="button" href="([^"]+)">Continue', done.text)
        assert onward is not None
        assert html.unescape(onward[1]) == target
        asked = browser.get(target)
        assert browser.post(f"{asked.headers['location']}/verify", data={"code": codes[0]}).status_code == 303
        assert browser.get(target).status_code == 200
        overview = browser.get(ENROLL).text
    assert "Handy" in overview
    assert "9 recovery codes left" in overview
    assert codes[0] not in overview


def hidden(page: str) -> dict[str, str]:
    return {
        name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
        if name in ("pending", "back")
    }  # fmt: skip


def shown_secret(page: str) -> str:
    found = re.search(r'class="secret"><code>([A-Z2-7 ]+)</code>', page)
    assert found is not None
    return found[1].replace(" ", "")


def test_the_page_changes_what_there_is(self_door: Door, user: str) -> None:
    with self_door.client(user, **BROWSER) as browser:
        page = browser.get(ENROLL).text
        secret = shown_secret(page)
        done = browser.post(ENROLL, data={**hidden(page), "code": code_of(self_door, secret), "label": "one"})
        assert 'href="/_stepup/enroll"' in done.text
        page = browser.get(ENROLL).text
        assert "Remove an authenticator" not in page
        bad = browser.post(ENROLL, data={"action": "recovery_codes", "current_code": "000000"})
        assert bad.status_code == 401
        assert "of what you have now is wrong. Tries left: 4" in bad.text
        renewed = browser.post(
            ENROLL, data={"action": "recovery_codes", "current_code": code_of(self_door, secret, steps=1)}
        )
        assert "New recovery codes" in renewed.text
        later(self_door, 60)
        page = browser.get(ENROLL).text
        new, other = {**hidden(page), "label": "two"}, shown_secret(page)
        new |= {"code": code_of(self_door, other), "current_code": code_of(self_door, secret), "replace": ""}
        assert browser.post(ENROLL, data=new).status_code == 200
        page = browser.get(ENROLL).text
        assert "Remove an authenticator" in page
        factor = re.findall(r'<option value="([^"]+)">one</option>', page)
        remove = {"action": "remove", "factor_id": factor[0], "current_code": code_of(self_door, other, steps=1)}
        assert "Authenticator removed" in browser.post(ENROLL, data=remove).text
        for _ in range(5):
            locked = browser.post(ENROLL, data={"action": "recovery_codes", "current_code": "000000"})
        locked = browser.post(ENROLL, data={"action": "recovery_codes", "current_code": "000000"})
        assert locked.status_code == 429
        assert int(locked.headers["retry-after"]) >= 1
        assert "Too many wrong codes" in locked.text


def test_a_way_back_that_is_not_ours_is_none(self_door: Door, user: str) -> None:
    with self_door.client(user, **BROWSER) as browser, self_door.client(f"{user}-other", **BROWSER) as other:
        foreign = other.get(EXPORT).headers["location"].partition("back=")[2]
        for back in ("//evil.example", "https://evil.example", "x" * 4000, foreign):
            page = browser.get(f"{ENROLL}?back={back}").text
            assert "back" not in hidden(page)
            assert "evil" not in page
        page = browser.get(ENROLL).text
        secret = shown_secret(page)
        done = browser.post(ENROLL, data={**hidden(page), "back": "//evil.example", "code": code_of(self_door, secret)})
        assert "evil" not in done.text


def test_the_page_lets_nothing_in(self_door: Door, user: str) -> None:
    """One script and one style, no picture from elsewhere; the QR code stands in the page itself."""
    with self_door.client(user, **BROWSER) as browser:
        page = browser.get(ENROLL)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "img-src" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert page.text.count("<svg") == 1
    assert " style=" not in page.text
    assert page.text.count("<script") == page.text.count("<script>") == 1
    assert "<img" not in page.text
    groups = re.search(r"<code>((?:[A-Z2-7]{4} ?){8})</code>", page.text)
    assert groups is not None


def test_no_secret_is_on_record(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        secret, told = first(self_door, client, label="secret label")
    written = (self_door.folder / "audit" / "stepup.jsonl").read_text()
    for text in (secret, *told["recovery_codes"], *(code.replace("-", "") for code in told["recovery_codes"])):
        assert text not in written


def test_reading_changes_nothing(self_door: Door, user: str) -> None:
    with self_door.client(user) as client:
        begun = [begin(client), begin(client)]
        assert client.head(ENROLL).status_code == 200
        assert begun[0]["secret"] != begun[1]["secret"]
    assert self_door.lines(user) == []


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def grace_door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A server whose grace ends at the beginning of tomorrow (UTC)."""
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    config = CONFIG.read_text().replace('ttl = "5m"', f'ttl = "5m"\nenroll = "grace until {day}"')
    with serving(request.param, tmp_path_factory.mktemp(f"grace-{request.param}"), config) as running:
        yield running


def test_grace_and_its_end(grace_door: Door, user: str) -> None:
    with grace_door.client(user) as client:
        assert client.post(TRANSFER).status_code == 200
        assert client.post(TRANSFER, headers={"Step-Up-Code": "000000"}).status_code == 200
        assert client.post("/close").status_code == 403  # the risk denies all the same
        access = [line for line in grace_door.lines(user) if line["phase"] == "access"]
        assert [(line["proof"]["basis"], line["would"], line["detail"]) for line in access] == [
            ("report_mode", "challenge", "grace")
        ] * 2
        begun = begin(client)
        grace_door.offset(86_400)
        assert problem(client.post(TRANSFER)) == (403, "not-enrolled")
        assert problem(client.get(ENROLL)) == (403, "not-enrolled")
        assert problem(confirm(client, begun, code_of(grace_door, begun["secret"]))) == (403, "not-enrolled")
        grace_door.offset(0)
        secret, _ = first(grace_door, client)
        assert client.post(TRANSFER).status_code == 401  # who has one must use it, grace or not
        prove(client, code_of(grace_door, secret, steps=1))
    assert len(grace_door.reached(user)) == 2
    assert grace_door.story(user)[-3:] == APPROVED
