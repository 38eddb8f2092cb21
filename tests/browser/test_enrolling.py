"""The first authenticator and the recovery codes, from the page that needed them and back to it, in each app."""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from .apps import App
from .chromium import in_every_look, person
from .test_asking import ASKED, PROVED

pytestmark = pytest.mark.slow


def secret_on(page: Page) -> str:
    return page.locator(".secret").inner_text().replace(" ", "").strip()


def test_from_nothing_to_a_recovery_code(browser: Browser, app: App, script: bool, pictures: Path) -> None:
    user = app.newcomer()
    permissions = ["clipboard-read", "clipboard-write"] if script else []
    with person(browser, app.url, java_script_enabled=script, permissions=permissions) as alice:
        page = alice.page

        def seen(name: str) -> None:
            if app.name == "flask":
                in_every_look(alice, pictures, f"{name}-{'script' if script else 'no-script'}", script=script)

        app.sign_in(alice, user)
        page.goto(app.page)
        expect(page.get_by_role("heading", name="Set up your authenticator")).to_be_visible()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        seen("enroll")
        page.get_by_label("2. Enter the code it shows now").fill("000000")
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("alert")).to_contain_text("is wrong")
        seen("enroll-wrong")
        page.get_by_label("2. Enter the code it shows now").fill(pyotp.TOTP(secret_on(page)).now())
        page.get_by_label("Name it").fill("My phone")
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("heading", name="Authenticator confirmed")).to_be_visible()
        codes = page.locator("pre").inner_text().split()
        assert len(codes) == 10
        page.get_by_text("If you lose your phone").click()
        expect(page.locator("details")).to_contain_text("Call the help desk, 1234.")
        seen("codes")
        if script:
            page.get_by_role("button", name="Copy").click()
            expect(page.get_by_role("button", name="Copied")).to_be_visible()
            assert page.evaluate("() => navigator.clipboard.readText()").split() == codes
            expect(page.get_by_role("button", name="Print")).to_be_visible()
        else:
            expect(page.get_by_role("button")).to_have_count(0)
        page.get_by_role("link", name="Continue").click()  # back to what needed it
        page.get_by_text("Use a recovery code instead").click()
        page.get_by_label("Recovery code").fill(codes[0].lower())
        page.locator("details").get_by_role("button").click()
        expect(page).to_have_url(app.url + app.page)
        expect(page.locator("body")).to_contain_text(app.page_said)
        page.goto("/_stepup/enroll")
        for said in ("My phone", "9 recovery codes left"):
            expect(page.locator("main")).to_contain_text(said)
        seen("authenticators")
        assert alice.complaints == []
    app.told(user, "trigger/not_enrolled", *PROVED)
    app.on_record(user, "enrollment", "rejected", "enrolled")


def test_a_lost_phone_is_replaced_and_the_last_one_stays(browser: Browser, app: App, script: bool) -> None:
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/_stepup/enroll")
        page.get_by_text("Add or replace an authenticator").click()
        opened = page.locator("details[open]")
        new = pyotp.TOTP(secret_on(page))
        opened.get_by_label("2. Enter the code the new one shows").fill(new.now())
        opened.get_by_label("Keep it").select_option(index=1)
        opened.get_by_label("Code of what you have now").fill(user.code())
        opened.get_by_role("button", name="Confirm").click()
        expect(page.locator("main")).to_contain_text("The new one counts from now on")
        page.goto("/_stepup/enroll")
        expect(page.get_by_text("Remove an authenticator")).to_have_count(0)  # the last is nobody's to remove
        page.goto(app.page)
        page.get_by_label("Code from your authenticator app").fill(user.code(steps=1))
        page.get_by_role("button", name="Confirm").click() if not script else None
        expect(page.get_by_role("alert")).to_contain_text("wrong")
        assert alice.complaints == []
    app.told(user, *ASKED, "challenge/rejected")
    app.on_record(user, "enrollment", "enrolled", "replaced")
