"""The browser's way: 303 to a page that needs no script, the code, and 303 back to where it was."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import httpx2
import pytest

from stepup_mw.enrollment import Enrolled

from .doors import Door
from .steps import APPROVED, ASKED, BROWSER, BY_GRANT, LOCKED, REPLAYED, TRANSFER, WRONG, prove

EXPORT = "/export/2026/all.csv"


def go(client: httpx2.Client, target: str, method: str = "GET") -> str:
    """Go where a proof is needed; gives the path of the page that the browser is sent to."""
    sent = client.request(method, target)
    assert (sent.status_code, sent.content) == (303, b"")
    assert sent.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"/_stepup/challenges/[A-Za-z0-9_-]{24}", sent.headers["location"])
    return str(sent.headers["location"])


def answer(client: httpx2.Client, page: str, code: str) -> httpx2.Response:
    """Send the page's form."""
    return client.post(f"{page}/verify", data={"code": code})


def test_from_the_page_and_back(door: Door, user: str, enrolled: Enrolled) -> None:
    target = f"{EXPORT}?since=2026-01-01&name=J%C3%B6rg%20%26%20Co&again=a%2Fb"
    with door.client(user, **BROWSER) as browser:
        page = go(browser, target)
        shown = browser.get(page)
        wrong = answer(browser, page, door.wrong(enrolled))
        right = answer(browser, page, door.code(enrolled))
        back = browser.get(right.headers["location"])
    assert shown.status_code == 200
    assert wrong.status_code == 401
    assert 'role="alert"' in wrong.text
    assert "Tries left: 4" in wrong.text
    assert (right.status_code, right.headers["location"]) == (303, target)
    assert right.headers["cache-control"] == "no-store"
    assert (back.status_code, back.json()["path"]) == (200, EXPORT)
    assert door.story(user) == [*ASKED, WRONG, "outcome/approved route_policy", *BY_GRANT]


def test_what_protects_the_page(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = go(browser, EXPORT)
        for shown in (browser.get(page), answer(browser, page, "000")):
            policy = shown.headers["content-security-policy"]
            assert shown.headers["content-type"] == "text/html; charset=utf-8"
            assert shown.headers["cache-control"] == "no-store"
            assert shown.headers["x-frame-options"] == "DENY"
            assert shown.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "form-action 'self'" in policy
            assert re.search(r"script-src 'sha256-[^ ;]+'; ", policy)
            assert "unsafe" not in policy
            assert re.findall("<script[^>]*>", shown.text) == ["<script>"]
            assert " on" + "click" not in shown.text


def test_what_the_page_offers(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = go(browser, EXPORT)
        text = browser.get(page).text
    code_field = re.search(r"<input[^>]*id=\"code\"[^>]*>", text)
    recovery_field = re.search(r"<input[^>]*id=\"recovery\"[^>]*>", text)
    assert code_field is not None
    assert recovery_field is not None
    assert 'autocomplete="one-time-code"' in code_field[0]
    assert 'inputmode="numeric"' in code_field[0]
    assert 'autocomplete="off"' in recovery_field[0]
    assert '<label for="code">' in text
    assert f'action="{page}/verify"' in text
    assert f'action="{page}/cancel"' in text
    assert EXPORT in text
    assert user in text


def test_hostile_text_on_the_page_is_escaped(door: Door) -> None:
    hostile = "<script>alert(1)</script>'\"&eve"
    door.enroll(hostile)
    path = "/export/" + quote("<img src=x onerror=alert(1)>\"'&\u202e")
    with door.client(hostile, **BROWSER) as browser:
        text = browser.get(go(browser, path)).text
    assert re.findall("<script[^>]*>", text) == ["<script>"]
    assert "<img" not in text
    assert "\u202e" not in text
    assert html.escape(hostile) in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_a_code_with_a_space_as_people_type_it(door: Door, user: str, enrolled: Enrolled) -> None:
    code = door.code(enrolled)
    with door.client(user, **BROWSER) as browser:
        assert answer(browser, go(browser, EXPORT), f" {code[:3]} {code[3:]}").status_code == 303
    assert door.story(user) == APPROVED


def test_a_replayed_and_a_skewed_code_on_the_page(door: Door, user: str, enrolled: Enrolled) -> None:
    code = door.code(enrolled)
    with door.client(user, **BROWSER) as browser:
        answer(browser, go(browser, EXPORT), code)
        browser.cookies.delete("stepup")
        page = go(browser, EXPORT)
        replayed = answer(browser, page, code)
        skewed = answer(browser, page, door.code(enrolled, steps=8))
    assert (replayed.status_code, skewed.status_code) == (401, 401)
    assert "used before" in replayed.text
    assert "clock" in skewed.text
    assert door.story(user) == [*APPROVED, *ASKED, REPLAYED, WRONG]


def test_locked_on_the_page(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = go(browser, EXPORT)
        for _ in range(5):
            answer(browser, page, door.wrong(enrolled))
        locked = answer(browser, page, door.code(enrolled))
    assert locked.status_code == 429
    assert 1 <= int(locked.headers["retry-after"]) <= 31
    assert locked.headers["content-type"].startswith("text/html")
    assert door.story(user) == [*ASKED, *[WRONG] * 5, "outcome/locked route_policy", LOCKED]


def test_a_recovery_code_on_the_page(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        assert answer(browser, go(browser, EXPORT), enrolled.recovery_codes[0].lower()).status_code == 303


def test_a_form_of_who_knows_where_is_not_kept_and_the_page_says_so(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        asked = browser.post(TRANSFER, data={"amount": "1"}, headers={"Sec-Fetch-Site": "cross-site"})
        page = asked.headers["location"]
        shown = browser.get(page)
        confirmed = answer(browser, page, door.code(enrolled))
        again = browser.post(TRANSFER, data={"amount": "1"})
    assert "not kept" in shown.text
    assert (confirmed.status_code, confirmed.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "not kept" in confirmed.text
    assert (again.status_code, again.json()["body"]) == (200, "amount=1")
    assert door.story(user) == [*APPROVED, *BY_GRANT]
    assert len(door.reached(user)) == 1


def test_cancelled_on_the_page(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        page = go(browser, EXPORT)
        cancelled = browser.post(f"{page}/cancel", data={})
        late = answer(browser, page, door.code(enrolled))
        shown = browser.get(page)
    assert (cancelled.status_code, late.status_code, shown.status_code) == (200, 410, 410)
    assert "Cancelled" in cancelled.text
    assert late.headers["content-type"].startswith("text/html")
    assert door.story(user) == [*ASKED, "outcome/denied route_policy"]


def test_the_page_of_another_browser_does_not_exist(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as mine, door.client(user, **BROWSER) as other:
        page = go(mine, EXPORT)
        go(other, EXPORT)  # so that it has a device cookie of its own
        assert other.get(page).status_code == 404
        assert answer(other, page, door.code(enrolled)).status_code == 404
        assert answer(mine, page, door.code(enrolled)).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/json"},
        {"Accept": "*/*"},
        {"Accept": "text/html;q=0.5, application/json"},
        {"Accept": "text/html", "Sec-Fetch-Mode": "cors"},
        {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"},
        {"Accept": "text/html", "Authorization": "Bearer abc"},
        {"Accept": "text/html;q=0"},
        {"Accept": "text/html;q=..."},
    ],
    ids=["json", "any", "prefers-json", "fetch", "xhr", "token", "refuses-html", "garbage"],
)
def test_what_is_no_navigation_gets_the_document(
    door: Door, user: str, enrolled: Enrolled, headers: dict[str, str]
) -> None:
    with door.client(user, **headers) as client:
        assert client.get(EXPORT).status_code == 401


@pytest.mark.parametrize(
    "target",
    ["//evil.example/export/x", "/\\evil.example/export/x", "/%2f%2fevil.example/../export/x", "/export//evil.example"],
)
def test_the_way_back_stays_on_the_origin(door: Door, user: str, enrolled: Enrolled, target: str) -> None:
    """Whatever the target was, the browser is never sent to a place that names a host."""
    with door.client(user, **BROWSER) as browser:
        went = door.raw(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: text/html\r\n"
            f"X-Auth-User: {user}\r\nX-Auth-Session: s1\r\n\r\n".encode()
        )
        page = re.search(rb"(?i)location: (/_stepup/challenges/\S+)", went)
        if page is None:
            assert went[9:12] in (b"400", b"404", b"200"), went
            assert door.reached(user) == []
            return
        cookie = re.search(rb"(?i)set-cookie: (stepup-device=[^;]+)", went)
        assert cookie is not None
        back = httpx2.post(
            door.url + page[1].decode() + "/verify",
            data={"code": door.code(enrolled)},
            headers={**dict(browser.headers), "Cookie": cookie[1].decode()},
        )
    assert back.status_code == 303
    assert re.match(r"/(?![/\\])", back.headers["location"])
    assert "\\" not in back.headers["location"]


@pytest.mark.parametrize("query", ["next=https://evil.example", "return_to=//evil.example", "x=%0d%0aSet-Cookie:a=b"])
def test_the_query_never_chooses_the_way_back(door: Door, user: str, enrolled: Enrolled, query: str) -> None:
    with door.client(user, **BROWSER) as browser:
        page = go(browser, f"{EXPORT}?{query}")
        sent = browser.post(f"{page}/verify?{query}", data={"code": door.code(enrolled), "next": "//evil.example"})
    assert sent.headers["location"] == f"{EXPORT}?{query}"
    assert "a=b" not in sent.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=["cross-site", "same-site", "other-origin", "null-origin"],
)
@pytest.mark.parametrize("act", ["verify", "cancel"])
def test_a_form_of_another_site_is_refused(
    door: Door, user: str, enrolled: Enrolled, headers: dict[str, str], act: str
) -> None:
    with door.client(user, Accept="text/html") as browser:
        page = go(browser, EXPORT)
        refused = browser.post(f"{page}/{act}", data={"code": door.code(enrolled)}, headers=headers)
        assert refused.status_code == 400
        assert browser.get(page).status_code == 200
    assert door.story(user) == ASKED


def test_the_grant_of_the_page_is_no_value_in_any_url_or_body(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user, **BROWSER) as browser:
        sent = answer(browser, go(browser, EXPORT), door.code(enrolled))
        token = browser.cookies["stepup"]
    assert token not in sent.headers["location"]
    assert token not in sent.text
    assert token not in (door.folder / "audit" / "stepup.jsonl").read_text()


def test_a_browser_with_a_grant_of_the_api_goes_straight_through(door: Door, user: str, enrolled: Enrolled) -> None:
    with door.client(user) as client:
        prove(client, door.code(enrolled), EXPORT, "GET")
        assert client.get(EXPORT, headers=BROWSER).status_code == 200
    assert door.story(user) == [*APPROVED, *BY_GRANT]


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("{url}/accounts/42?tab=send&x=%2F", "/accounts/42?tab=send&amp;x=%2F"),
        ("{url}//evil.example/x", "/evil.example/x"),
        ("https://evil.example/accounts", None),
        ("", None),
    ],
    ids=["same-origin", "two slashes", "another site", "none"],
)
def test_after_the_code_a_form_has_a_way_back_on_this_origin(
    door: Door, user: str, referer: str, back: str | None
) -> None:
    person = door.enroll(user)
    headers = {"Accept": "text/html", "Referer": referer.format(url=door.url)}
    with door.client(user) as browser:
        asked = browser.post("/accounts/42/transfer", data={"to": "bob"}, headers=headers)
        page = asked.headers["location"]
        assert "send it once more" in browser.get(page, headers={"Accept": "text/html"}).text
        done = browser.post(f"{page}/verify", data={"code": door.code(person)}, headers={"Accept": "text/html"})
    assert done.status_code == 200
    assert (f'href="{back}"' in done.text) if back else ("href=" not in done.text)
