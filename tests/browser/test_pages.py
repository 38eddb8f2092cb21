"""The pages as a person meets them: in a real browser, with and without script, in the demo and in Flask."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ..demo.running import Demo, running
from ..examples.serving import GUNICORN, Example, Served, copy_example, enrolled, served
from .chromium import LOOKS, Person, person, picture

pytestmark = pytest.mark.slow

SCRIPT = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
PROVED = ["trigger/required", "challenge/issued", "outcome/approved", "access/allowed", "result/completed"]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with running(tmp_path / "demo") as started:
        yield started


def sign_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("User").fill("alice")
    page.get_by_label("Password").fill("open-sesame")
    page.get_by_role("button", name="Sign in").click()


def story(folder: Path) -> list[str]:
    lines = [json.loads(line) for line in (folder / "audit" / "stepup.jsonl").read_bytes().splitlines()]
    return [f"{line['phase']}/{line['status']}" for line in lines if line["event_type"] == "step_up"]


def settled(folder: Path, wanted: list[str]) -> None:
    """The trail says so, once the last line has come."""
    for _ in range(100):
        if story(folder) == wanted:
            return
        time.sleep(0.05)
    assert story(folder) == wanted


def basis(folder: Path) -> list[str]:
    lines = [json.loads(line) for line in (folder / "audit" / "stepup.jsonl").read_bytes().splitlines()]
    return [line["proof"]["basis"] for line in lines if line["phase"] == "access" and line["status"] == "allowed"]


@SCRIPT
def test_a_page_asks_in_words_and_goes_back_to_where_it_was(browser: Browser, demo: Demo, script: bool) -> None:
    first, code, _ = demo.codes()
    with person(browser, demo.url, java_script_enabled=script) as alice:
        page = alice.page
        sign_in(page)
        page.goto("/password")
        expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
        field = page.get_by_label("Code from your authenticator app")
        expect(field).to_be_focused()
        for said in ("password", "alice", "127.0.0.1", "Chrome", "for 1 minute"):
            expect(page.locator("main")).to_contain_text(said)
        field.fill("000000" if first != "000000" else "111111")
        if not script:
            page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("alert")).to_contain_text("Tries left: 4")
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
        field.fill(f"{code[:3]} {code[3:]}")
        if not script:
            field.press("Enter")
        expect(page).to_have_url(f"{demo.url}/password")
        assert alice.complaints == []
    settled(demo.folder, [*PROVED[:2], "challenge/rejected", *PROVED[2:]])


@SCRIPT
def test_a_form_is_shown_and_sent_after_the_code(browser: Browser, demo: Demo, script: bool) -> None:
    code = demo.codes()[1]
    with person(browser, demo.url, java_script_enabled=script) as alice:
        page = alice.page
        sign_in(page)
        send(page, "Bob & Söhne <b>", "25.00", note="rent")
        main = page.locator("main")
        for said in (
            "What will be sent",
            "Bob & Söhne <b>",
            "25.00",
            "rent",
            "and 1 more field",
            "POST /transfer/send",
        ):
            expect(main).to_contain_text(said)
        field = page.get_by_label("Code from your authenticator app")
        field.fill(code)
        expect(field).to_be_visible()  # what was sent is never sent by itself: only by the button that says so
        page.get_by_role("button", name="Confirm and send: transfer").click()
        expect(page.locator("main")).to_contain_text("Sent: 25.00 to Bob & Söhne <b>.")
        assert alice.complaints == []
    settled(demo.folder, PROVED)
    assert basis(demo.folder) == ["resume"]


def send(page: Page, to: str, amount: str, *, note: str = "") -> None:
    """From a form of the bank's own, straight to what needs a code."""
    page.goto("/rates")
    page.evaluate(
        """fields => {
          const form = document.createElement("form");
          Object.assign(form, { method: "post", action: "/transfer/send" });
          for (const [name, value] of Object.entries(fields))
            form.append(Object.assign(document.createElement("input"), { name, value, type: "text" }));
          document.body.append(form);
          form.submit();
        }""",
        {"from": "everyday", "to": to, "amount": amount, "note": note},
    )


@SCRIPT
def test_what_is_too_large_goes_back_to_the_form_as_it_was_filled_in(
    browser: Browser, tmp_path: Path, script: bool
) -> None:
    example = enrolled(copy_example("flask_board", tmp_path / "app"))
    settings = (example.folder / "stepup.toml").read_text()
    routes = settings.replace('path = "/wipe"', 'path = "/"') + '\n[challenge]\nresume_max_body = "64B"\n'
    (example.folder / "stepup.toml").write_text(routes)
    add_form(example, "action=/", "<textarea name=text aria-label=Text></textarea>")
    text = "a long message that nobody wants to type again " * 4
    with served(example, GUNICORN) as board, person(browser, board.url, java_script_enabled=script) as alice:
        page = alice.page
        signed_in(alice, board)
        page.goto("/write")
        page.get_by_label("Text").fill(text)
        page.get_by_role("button", name="Go").click()
        expect(page.locator("main")).to_contain_text("too large to be kept (64B at most)")
        field = page.get_by_label("Code from your authenticator app")
        if script:  # without, a browser does not go back over the answer to a form without a word
            field.fill("000000")
            expect(page.get_by_role("alert")).to_contain_text("wrong")
        field.fill(example.code())
        confirm(page, script)
        expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
        if script:
            page.get_by_role("button", name="Back to the form").click()
        else:
            page.go_back()
            page.go_back()
        expect(page.get_by_label("Text")).to_have_value(text)
        page.get_by_role("button", name="Go").click()
        expect(page.locator("body")).to_contain_text("a long message")
        assert alice.complaints == []
    assert example.story()[-3:] == ["outcome/approved", "access/allowed", "result/completed"]
    assert basis(example.folder) == ["grant"]


def add_form(example: Example, how: str, field: str) -> None:
    """A page of the app's with a form, at /write."""
    form = f"<form method=post {how}>{field}<button>Go</button></form>"
    view = f'@app.get("/write")\ndef write() -> str:\n    return "{form}"\n'
    app = example.folder / "app.py"
    app.write_text(f"{app.read_text()}\n\n{view}")


def confirm(page: Page, script: bool) -> None:
    if not script:  # with script the sixth digit sends it
        page.get_by_role("button", name="Confirm").click()


def signed_in(somebody: Person, board: Served) -> None:
    answer = somebody.context.request.post(f"{board.url}/sign-in/alice", max_redirects=0)
    assert answer.status == 302


@SCRIPT
def test_a_form_in_flask(browser: Browser, tmp_path: Path, script: bool) -> None:
    example = enrolled(copy_example("flask_board", tmp_path / "app"))
    add_form(example, "action=/wipe enctype=multipart/form-data", "<input type=file name=why aria-label=Why>")
    with served(example, GUNICORN) as board, person(browser, board.url, java_script_enabled=script) as alice:
        page = alice.page
        signed_in(alice, board)
        page.goto("/write")
        page.get_by_label("Why").set_input_files({"name": "why.txt", "mimeType": "text/plain", "buffer": b"\0spam"})
        page.get_by_role("button", name="Go").click()
        expect(page.locator("main")).to_contain_text("and 1 file")
        page.get_by_label("Code from your authenticator app").fill(example.code())
        page.get_by_role("button", name="Confirm and send: wipe").click()
        expect(page).to_have_url(f"{board.url}/")
        assert alice.complaints == []
    assert example.story() == PROVED


@SCRIPT
def test_a_form_that_a_view_of_flask_interrupts(browser: Browser, tmp_path: Path, script: bool) -> None:
    example = enrolled(copy_example("flask_board", tmp_path / "app"))
    add_form(example, "action=/take-away", "<input name=count aria-label=Count>")
    with served(example, GUNICORN) as board, person(browser, board.url, java_script_enabled=script) as alice:
        page = alice.page
        signed_in(alice, board)
        for text in ("one", "two", "three", "four"):
            alice.context.request.post(f"{board.url}/", form={"text": text})
        page.goto("/write")
        page.get_by_label("Count").fill("3")
        page.get_by_role("button", name="Go").click()
        for said in ("many messages at once", "POST /take-away", "and 1 more field"):
            expect(page.locator("main")).to_contain_text(said)
        page.get_by_label("Code from your authenticator app").fill(example.code())
        page.get_by_role("button", name="Confirm and send", exact=True).click()
        expect(page).to_have_url(f"{board.url}/")
        expect(page.locator("body")).to_contain_text("four")
        assert alice.complaints == []
    assert example.rows("board.db", "select text from messages") == [("four",)]
    assert example.story() == PROVED
    assert basis(example.folder) == ["resume"]


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_and_looks_well(browser: Browser, demo: Demo, pictures: Path, look: str) -> None:
    codes = demo.codes()
    with person(browser, demo.url, **LOOKS[look], locale="de-DE" if look == "narrow" else "en-GB") as alice:
        page, context = alice.page, alice.context
        sign_in(page)

        def seen(name: str) -> None:
            picture(page, pictures, f"{name}-{look}")
            assert alice.violations() == [], name
            width = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert width == 0, f"{name} is wider than the window"

        send(page, "Bob & Söhne", "25.00", note="rent for a flat with a very long note that goes on and on and on")
        seen("resume")
        page.goto("/password")
        seen("challenge")
        page.locator("summary").first.click()
        seen("challenge-recovery")
        page.locator("#code").fill("000000" if "000000" not in codes else "111111")
        expect(page.get_by_role("alert")).to_be_visible()
        seen("challenge-wrong")
        page.get_by_role("button", name="Cancel").or_(page.get_by_role("button", name="Abbrechen")).click()
        seen("cancelled")
        page.goto("/_stepup/enroll")
        seen("authenticators")
        page.locator("summary").first.click()
        seen("authenticators-add")
        page.goto("/_stepup/challenges/none")
        seen("gone")
        context.clear_cookies()
        page.goto("/_stepup/enroll")
        assert alice.complaints == []
