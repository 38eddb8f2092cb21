"""Work is not lost: what met a challenge is kept, shown, and sent after the code, once, by the person who sent it."""

from __future__ import annotations

import contextlib
import html
import re
import sqlite3
from typing import Any

import httpx2
import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import APPROVED, ASKED, BROWSER, BY_GRANT, TRANSFER, WRONG

RESUMED = ["access/allowed route_policy resume", "result/completed route_policy resume"]
REFUSED = "access/refused route_policy"
FORM = {"to": "bob", "amount": "12.50", "memo": "rent & <b>more</b>", "memo2": ""}
FETCH = {"Accept": "application/json", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}


def sent(browser: httpx2.Client, path: str = TRANSFER, **more: Any) -> str:
    """Send a form that needs a code; the path of the page."""
    answer = browser.post(path, **(more or {"data": FORM}))
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def confirm(browser: httpx2.Client, page: str, code: str, **fields: str) -> httpx2.Response:
    """As the page's own form does: with all its hidden fields."""
    return browser.post(f"{page}/verify", data={**hidden(browser.get(page).text), "code": code, **fields})


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


def details(door: Door, user: str) -> list[str]:
    """What the lines say of what was sent."""
    found = [line["detail"] for line in door.lines(user) if line["event_type"] == "step_up"]
    return [detail for detail in found if detail and detail.startswith(("kept", "unkept", "resume"))]


def test_a_form_reaches_the_app_after_the_code_byte_for_byte(door: Door, user: str, enrolled: Enrolled) -> None:
    body = b"to=bob&amount=12.50&memo=%00%ff+a%20b&&x"
    head = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Cookie": "theirs=old"}
    with door.client(user, **BROWSER) as browser:
        page = sent(browser, f"{TRANSFER}?a=%2F&b", content=body, headers=head)
        shown = browser.get(page).text
        browser.cookies.set("theirs", "new")
        done = confirm(browser, page, door.code(enrolled))
    assert done.status_code == 200
    (run,) = door.reached(user)
    assert (run["method"], run["path"], run["query"]) == ("POST", TRANSFER, "a=%2F&b")
    assert run["body"].encode("latin-1") == body
    assert (run["content-type"], run["content-length"]) == (head["Content-Type"], str(len(body)))
    assert "theirs=new" in run["cookie"]
    assert "old" not in run["cookie"]
    assert (run["stepup"]["basis"], run["on_record"]) == ("resume", True)
    for said in ("transfer", "POST " + TRANSFER, "bob", "12.50", "and 2 more fields", "Confirm and send: transfer"):
        assert said in shown
    assert "memo" not in shown
    assert done.json()["path"] == TRANSFER
    assert "stepup=" in done.headers["set-cookie"]
    assert door.story(user) == [*APPROVED, *RESUMED]
    assert details(door, user) == ["kept"]


def test_the_apps_answer_stands_under_its_own_address(door: Door, user: str, enrolled: Enrolled) -> None:
    """A relative link in it, and a form that goes to nowhere in particular, then mean what they did before."""
    with door.client(user, **BROWSER) as browser:
        shown = browser.get(sent(browser, f"{TRANSFER}?a=1&b=%2F")).text
        (place,) = set(re.findall(r'<form method="post" action="([^"]*)" autocomplete', shown))
        place = html.unescape(place)
        assert place == f"{TRANSFER}?a=1&b=%2F"
        wrong = browser.post(place, data={**hidden(shown), "code": door.wrong(enrolled)})
        done = browser.post(place, data={**hidden(wrong.text), "code": door.code(enrolled)})
        again = browser.post(place, data={**hidden(wrong.text), "code": door.code(enrolled)})
    assert (wrong.status_code, done.status_code, again.status_code) == (401, 200, 410)
    assert [(run["body"], run["query"]) for run in door.reached(user)] == [(done.json()["body"], "a=1&b=%2F")]
    assert "amount=12.50" in done.json()["body"]
    assert door.settled(user, 7) == [*ASKED, WRONG, "outcome/approved route_policy", *RESUMED, REFUSED]


@pytest.mark.parametrize("named", ["none-such", "", "x" * 200], ids=["unknown", "empty", "long"])
def test_a_form_that_names_a_challenge_never_reaches_the_app_as_it_is(
    door: Door, user: str, enrolled: Enrolled, named: str
) -> None:
    with door.client(user, **BROWSER) as browser:
        confirm(browser, sent(browser), door.code(enrolled))
        before = len(door.reached(user))
        answer = browser.post(TRANSFER, data={"_stepup_challenge": named, "code": "123456"})
    assert (answer.status_code, len(door.reached(user)) - before) == ((404, 0) if named else (200, 1))


def test_all_lines_are_of_one_flow(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        confirm(browser, sent(browser), door.code(enrolled))
    lines = [line for line in door.lines(user) if line["event_type"] == "step_up"]
    assert len({line["flow_id"] for line in lines}) == 1
    access = next(line for line in lines if line["phase"] == "access")
    assert access["action"] == next(line for line in lines if line["phase"] == "trigger")["action"]
    assert (access["proof"]["method"], access["proof"]["attempt"]) == ("totp", 1)
    assert lines[-1]["http"]["status"] == 200


def test_a_multipart_form_with_a_file(door: Door, user: str, enrolled: Enrolled) -> None:
    file = bytes(range(256)) * 20
    with door.client(user, **BROWSER) as browser:
        page = sent(browser, data={"to": "bob", "x": "1"}, files={"proof": ("a.pdf", file, "application/pdf")})
        shown = browser.get(page).text
        assert confirm(browser, page, door.code(enrolled)).status_code == 200
    (run,) = door.reached(user)
    assert file in run["body"].encode("latin-1")
    assert run["content-type"].startswith("multipart/form-data; boundary=")
    assert ("bob" in shown, "and 1 more field" in shown, "and 1 file" in shown) == (True, True, True)


def test_the_json_of_a_fetch_waits_behind_the_page_that_its_401_names(
    door: Door, user: str, enrolled: Enrolled
) -> None:
    body = b'{"name": "Zo\xc3\xab", "address": {"city": "Bonn", "street": "x"}, "tags": ["a", "b"]}'
    with door.client(user) as browser:
        asked = browser.put("/profile", content=body, headers={**FETCH, "Content-Type": "application/json"})
        assert asked.status_code == 401
        page = asked.json()["page_url"]
        shown = browser.get(page, headers=BROWSER).text
        fields = {**hidden(shown), "code": door.code(enrolled)}
        done = browser.post(f"{page}/verify", data=fields, headers=BROWSER)
    assert done.status_code == 200
    (run,) = door.reached(user)
    assert (run["method"], run["path"], run["body"].encode("latin-1")) == ("PUT", "/profile", body)
    assert ("Zoë" in shown, "Bonn" in shown, "and 3 more fields" in shown) == (True, True, True)
    assert door.story(user) == [*APPROVED, *RESUMED]


def test_a_delete_without_a_body(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as browser:
        page = browser.delete("/profile", headers=FETCH).json()["page_url"]
        fields = {**hidden(browser.get(page, headers=BROWSER).text), "code": door.code(enrolled)}
        assert browser.post(f"{page}/verify", data=fields, headers=BROWSER).status_code == 200
    assert [(run["method"], run["body"]) for run in door.reached(user)] == [("DELETE", "")]


def test_who_verifies_by_program_repeats_the_call_itself(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as browser:
        asked = browser.put("/profile", json={"name": "x"}, headers=FETCH).json()
        browser.post(asked["verify_url"], json={"code": door.code(enrolled)}, headers=FETCH)
        assert browser.put("/profile", json={"name": "x"}, headers=FETCH).status_code == 200
    assert door.story(user) == [*APPROVED, *BY_GRANT]
    assert _kept(door, user) == 0


def test_a_proof_for_this_very_request_opens_nothing_else(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        assert confirm(browser, sent(browser, "/wire"), door.code(enrolled)).status_code == 200
        assert browser.post("/wire", data=FORM).status_code == 303
    assert door.story(user) == [*APPROVED, *RESUMED, *ASKED]


def test_a_wrong_code_keeps_what_was_sent(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = sent(browser)
        wrong = confirm(browser, page, door.wrong(enrolled))
        fields = {**hidden(wrong.text), "code": door.code(enrolled)}
        done = browser.post(f"{page}/verify", data=fields)
    assert (wrong.status_code, "bob" in wrong.text, done.status_code) == (401, True, 200)
    assert door.story(user) == [*ASKED, WRONG, "outcome/approved route_policy", *RESUMED]


def test_after_it_the_grant_holds(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        confirm(browser, sent(browser), door.code(enrolled))
        assert browser.post(TRANSFER, data=FORM).status_code == 200
    assert door.story(user) == [*APPROVED, *RESUMED, *BY_GRANT]


# What is refused


def test_a_second_submit(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = sent(browser)
        fields = {**hidden(browser.get(page).text), "code": door.code(enrolled)}
        first, again = [browser.post(f"{page}/verify", data=fields) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 410)
    assert len(door.reached(user)) == 1
    assert door.settled(user, 6) == [*APPROVED, *RESUMED, REFUSED]
    assert details(door, user) == ["kept", "resume_gone"]


@pytest.mark.parametrize("who", ["browser", "session", "user"])
def test_another(door: Door, user: str, enrolled: Enrolled, who: str) -> None:
    mallory = f"{user}-mallory" if who == "user" else user
    if who == "user":
        door.enroll(mallory)
    session = "s2" if who == "session" else "s1"
    with door.client(user, **BROWSER) as mine, door.client(mallory, session=session, **BROWSER) as other:
        page = sent(mine)
        if who != "browser":
            other.cookies.set("stepup-device", mine.cookies["stepup-device"])
        seen = other.get(page)
        tried = other.post(f"{page}/verify", data={**hidden(mine.get(page).text), "code": door.code(enrolled)})
    assert (seen.status_code, tried.status_code) == (404, 404)
    assert "bob" not in seen.text + tried.text
    assert door.reached(user) == door.reached(mallory) == []
    assert door.story(mallory)[-2:] == [REFUSED, REFUSED]
    assert details(door, mallory)[-2:] == ["resume_foreign", "resume_foreign"]


def test_what_a_fetch_of_another_browser_left(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as thief, door.client(user, **BROWSER) as mine:
        page = thief.put("/profile", json={"name": "evil"}, headers=FETCH).json()["page_url"]
        mine.get("/export/x")  # a device of its own
        shown = mine.get(page).text
        done = mine.post(f"{page}/verify", data={"code": door.code(enrolled)})
    assert "evil" not in shown
    assert (done.status_code, door.reached(user)) == (409, [])
    assert details(door, user)[-1] == "resume_foreign"


@pytest.mark.parametrize("how", ["another body", "garbage", "another's"])
def test_a_body_that_was_changed_in_between(door: Door, user: str, enrolled: Enrolled, how: str) -> None:
    with door.client(user, **BROWSER) as browser:
        first, page = sent(browser, data={"to": "evelyn"}), sent(browser)
        with contextlib.closing(sqlite3.connect(door.folder / "state" / "stepup.db")) as db, db:
            (sealed,) = db.execute("SELECT sealed FROM kept WHERE kept_id = ?", (first.rpartition("/")[2],)).fetchone()
            changed = {"another body": sealed, "garbage": b"x" * 80, "another's": sealed[:-1] + b"\0"}[how]
            db.execute("UPDATE kept SET sealed = ? WHERE kept_id = ?", (changed, page.rpartition("/")[2]))
        shown = browser.get(page).text
        done = confirm(browser, page, door.code(enrolled))
    assert "evelyn" not in shown
    assert (done.status_code, door.reached(user)) == (409, [])
    assert "Nothing was sent" in done.text
    assert details(door, user)[-1] == "resume_changed"
    assert door.story(user)[-1] == REFUSED


def test_what_the_page_did_not_show(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        done = confirm(browser, sent(browser), door.code(enrolled), seen="h:00")
    assert (done.status_code, door.reached(user)) == (409, [])
    assert details(door, user)[-1] == "resume_unseen"


def test_a_code_that_no_browser_vouches_for(door: Door, user: str, enrolled: Enrolled) -> None:
    plain = {"Accept": "text/html"}
    with door.client(user, **plain) as browser:
        page = browser.post(TRANSFER, data=FORM, headers={**BROWSER}).headers["location"]
        done = browser.post(f"{page}/verify", data={"code": door.code(enrolled)})
    assert (done.status_code, door.reached(user)) == (409, [])
    assert details(door, user)[-1] == "resume_unseen"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
    ids=["cross-site", "same-site", "typed", "other origin", "null origin", "nothing said"],
)
def test_a_planted_form_is_not_kept(door: Door, user: str, enrolled: Enrolled, headers: dict[str, str]) -> None:
    with door.client(user, Accept="text/html") as browser:
        page = browser.post(TRANSFER, data=FORM, headers=headers).headers["location"]
        shown = browser.get(page).text
        done = browser.post(
            f"{page}/verify", data={"code": door.code(enrolled)}, headers={"Sec-Fetch-Site": "same-origin"}
        )
    assert "If you did not begin this, cancel" in shown
    assert "bob" not in shown
    assert (done.status_code, door.reached(user), _kept(door, user)) == (200, [], 0)
    assert details(door, user) == ["unkept_elsewhere"]


def test_by_origin_where_the_browser_is_old(door: Door, user: str, enrolled: Enrolled) -> None:
    headers = {"Accept": "text/html", "Origin": door.url}
    with door.client(user, **headers) as browser:
        assert confirm(browser, sent(browser), door.code(enrolled)).status_code == 200
    assert door.story(user) == [*APPROVED, *RESUMED]


LAST = {"Connection": "close"}
"""Without it the next request meets an end: gunicorn goes on with no connection on which over 64 KiB were not read."""


@pytest.mark.parametrize(
    ("more", "said", "detail"),
    [
        ({"data": {"memo": "x" * 70_000}, "headers": LAST}, "too large to be kept (64KiB at most)", "unkept_too_large"),
        ({"content": b"to=bob", "headers": {"Content-Type": "text/plain"}}, "is not kept", "unkept_type"),
        ({"content": b"to=bob"}, "is not kept", "unkept_type"),
    ],
    ids=["too large", "text", "no type"],
)
def test_what_is_not_kept_is_said_and_passes_when_sent_again(
    door: Door, user: str, enrolled: Enrolled, more: dict[str, Any], said: str, detail: str
) -> None:
    with door.client(user, **BROWSER) as browser:
        page = sent(browser, **more)
        shown = browser.get(page).text
        done = confirm(browser, page, door.code(enrolled))
        assert browser.post(TRANSFER, **more).status_code == 200
    assert said in shown
    assert "still filled in" in shown
    assert (done.status_code, "Back to the form" in done.text) == (200, True)
    assert details(door, user) == [detail]
    assert door.story(user) == [*APPROVED, *BY_GRANT]


def test_past_its_end(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = sent(browser)
        door.offset(301)
        late = browser.post(f"{page}/verify", data={"code": door.code(enrolled)})
    assert (late.status_code, door.reached(user)) == (410, [])
    assert "resume_gone" in details(door, user)


def test_cancelled(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = sent(browser)
        done = browser.post(f"{page}/cancel", data={})
    assert "Go back" not in done.text  # nothing says from where it was sent
    assert (_kept(door, user), door.reached(user)) == (0, [])


def test_cancelled_and_back_to_the_form(door: Door, user: str, enrolled: Enrolled) -> None:
    referer = f"{door.url}/accounts/7?a=1"
    with door.client(user, **BROWSER, Referer=referer) as browser:
        done = browser.post(f"{sent(browser)}/cancel", data={})
    assert '<a class="button" href="/accounts/7?a=1">Go back</a>' in done.text


def test_a_user_has_so_many_waiting(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        pages = [sent(browser) for _ in range(10)]
        assert "not here any more" in browser.get(pages[0]).text
        assert confirm(browser, pages[-1], door.code(enrolled)).status_code == 200
    assert _kept(door, user) == 7


def test_nothing_of_it_is_readable_on_disk(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        sent(browser, data={"to": "very-unusual-recipient"})
    for file in (door.folder / "state").iterdir():
        assert b"very-unusual-recipient" not in file.read_bytes()
    assert b"very-unusual-recipient" not in (door.folder / "audit" / "stepup.jsonl").read_bytes()


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{script}}", "\u202egnp.exe"]
)
def test_hostile_values_are_shown_as_text(door: Door, user: str, enrolled: Enrolled, hostile: str) -> None:
    with door.client(user, **BROWSER) as browser:
        shown = browser.get(sent(browser, data={"to": hostile, hostile: "1"})).text
    assert re.findall("<script[^>]*>", shown) == ["<script>"]
    assert "<img" not in shown
    assert "\u202e" not in shown
    assert hostile.startswith("\u202e") or html.escape(hostile) in shown


def _kept(door: Door, user: str) -> int:
    with contextlib.closing(sqlite3.connect(door.folder / "state" / "stepup.db")) as db, db:
        return int(db.execute("SELECT count(*) FROM kept WHERE user = ?", (user,)).fetchone()[0])
