"""The page that asks for a code, as a person meets it in each app: what it says, every answer, and the way back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from .apps import App, User
from .chromium import Person, person

pytestmark = pytest.mark.slow

ASKED = ["trigger/required", "challenge/issued"]
THROUGH = ["access/allowed", "result/completed"]
PROVED = [*ASKED, "outcome/approved", *THROUGH]


def at_the_page(somebody: Person, app: App, user: User) -> Page:
    """Signed in, and asked for a code."""
    app.sign_in(somebody, user)
    somebody.page.goto(app.page)
    expect(somebody.page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    return somebody.page


def answer(page: Page, code: str, *, script: bool) -> None:
    """With script the sixth digit sends it."""
    field = page.get_by_label("Code from your authenticator app")
    field.fill(code)
    if not script:
        field.press("Enter")


def test_a_page_asks_in_words_and_goes_back_to_where_it_was(browser: Browser, app: App, script: bool) -> None:
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = at_the_page(alice, app, user)
        for said in (f"GET {app.page}", user.name, "127.0.0.1", "Chrome", "The proof lasts", "Answer until"):
            expect(page.locator("main")).to_contain_text(said)
        field = page.get_by_label("Code from your authenticator app")
        expect(field).to_be_focused()
        answer(page, user.wrong(), script=script)
        expect(page.get_by_role("alert")).to_contain_text("That code is wrong. Tries left: 4.")
        expect(field).to_be_focused()
        expect(field).to_have_attribute("aria-invalid", "true")
        code = user.code()
        answer(page, f"{code[:3]} {code[3:]}", script=script)
        expect(page).to_have_url(app.url + app.page)
        expect(page.locator("body")).to_contain_text(app.page_said)
        assert alice.complaints == []
    app.told(user, *ASKED, "challenge/rejected", "outcome/approved", *THROUGH)
    assert app.bases(user) == ["grant"]


def test_a_code_that_was_used_and_a_clock_that_is_off_are_told_in_words(
    browser: Browser, app: App, script: bool
) -> None:
    user = app.user()
    code = user.code()
    with person(browser, app.url) as elsewhere:
        answer(at_the_page(elsewhere, app, user), code, script=True)
        expect(elsewhere.page.locator("body")).to_contain_text(app.page_said)
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = at_the_page(alice, app, user)
        answer(page, code, script=script)
        expect(page.get_by_role("alert")).to_contain_text("That code has been used before. Wait for the next one.")
        answer(page, user.code(steps=10), script=script)
        expect(page.get_by_role("alert")).to_contain_text("the clock of your device is about 300 seconds ahead")
        answer(page, user.code(steps=1), script=script)
        expect(page).to_have_url(app.url + app.page)
        assert alice.complaints == []
    app.told(user, *PROVED, *ASKED, "challenge/replayed", "challenge/rejected", "outcome/approved", *THROUGH)


def test_too_many_wrong_codes_lock_until_a_time_that_is_told(browser: Browser, app: App, script: bool) -> None:
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = at_the_page(alice, app, user)
        for left in (4, 3, 2, 1):
            answer(page, user.wrong(), script=script)
            expect(page.get_by_role("alert")).to_contain_text(f"Tries left: {left}.")
        answer(page, user.wrong(), script=script)
        expect(page.get_by_role("alert")).to_contain_text("Too many wrong codes. Try again in 30 seconds, at")
        page.goto(app.page)
        answer(page, user.code(), script=script)
        expect(page.get_by_role("alert")).to_contain_text("No code is accepted before")
        assert alice.complaints == []
    app.told(user, *ASKED, *["challenge/rejected"] * 5, "outcome/locked", *ASKED, "challenge/locked")
    assert app.bases(user) == []


def test_a_recovery_code_will_do_where_there_is_no_phone(browser: Browser, app: App, script: bool) -> None:
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = at_the_page(alice, app, user)
        page.get_by_text("Use a recovery code instead").click()
        page.get_by_label("Recovery code").fill(user.recovery_codes[0].lower())
        page.locator("details").get_by_role("button", name="Confirm").click()
        expect(page).to_have_url(app.url + app.page)
        assert alice.complaints == []
    app.told(user, *PROVED)
    assert [line["proof"]["method"] for line in app.step_ups(user) if line["phase"] == "outcome"] == ["recovery_code"]


def test_a_no_does_nothing(browser: Browser, app: App, script: bool) -> None:
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = at_the_page(alice, app, user)
        asked = page.url
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("main")).to_contain_text("Nothing was done.")
        page.goto(asked)
        expect(page.get_by_role("heading", name="This challenge has ended")).to_be_visible()
        assert alice.complaints == []
    app.told(user, *ASKED, "outcome/denied")


def test_somebody_who_is_not_signed_in_is_sent_to_sign_in(browser: Browser, app: App, script: bool) -> None:
    with person(browser, app.url, java_script_enabled=script) as nobody:
        nobody.page.goto(app.page)
        expect(nobody.page.get_by_role("button", name="Sign in")).to_be_visible()
        assert "/_stepup" not in nobody.page.url
    assert [line["phase"] for line in app.step_ups() if line["status"] == "anonymous"][-1] == "trigger"
