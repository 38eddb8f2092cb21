"""Passkeys in each app, by Chromium's virtual authenticator: made, used on the page and in the dialog, removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from .apps import App, User
from .chromium import Person, in_every_look, person, picture
from .test_asking import PROVED
from .test_client_script import call, made

pytestmark = pytest.mark.slow

PLATFORM = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}


@contextmanager
def with_a_device(browser: Browser, app: App, user: User) -> Iterator[tuple[Person, CDPSession]]:
    """Signed in, with an authenticator of the platform's that verifies them."""
    with person(browser, app.url) as somebody:
        device = somebody.context.new_cdp_session(somebody.page)
        device.send("WebAuthn.enable")
        device.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM})
        app.sign_in(somebody, user)
        yield somebody, device
        assert somebody.complaints == []


def make(somebody: Person, user: User) -> None:
    page = somebody.page
    page.goto("/_stepup/passkeys")
    page.get_by_label("Name it").fill("my laptop")
    page.get_by_label("Code of what you have now").fill(user.code())
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("It is yours from now on")


def test_a_passkey_from_its_making_to_its_end(browser: Browser, app: App, pictures: Path) -> None:
    user = app.user()
    with with_a_device(browser, app, user) as (alice, _):
        page = alice.page

        def seen(name: str) -> None:
            if app.name == "fastapi":
                in_every_look(alice, pictures, name)

        page.goto("/_stepup/passkeys")
        expect(page.get_by_role("heading", name="Your passkeys")).to_be_visible()
        seen("passkeys-none")
        make(alice, user)
        page.get_by_role("link", name="Your passkeys").click()
        expect(page.locator(".devices")).to_contain_text("my laptop")
        seen("passkeys-one")

        page.goto("/vault")  # on the page: a navigation that only a passkey opens
        expect(page.get_by_label("Code from your authenticator app")).to_have_count(0)
        seen("challenge-passkey")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.locator("body")).to_contain_text("Not Found", ignore_case=True)  # the app has no such page
        expect(page).to_have_url(f"{app.url}/vault")
        app.told(user, *PROVED)

        app.forms["rule"].fill(page, user.name)  # beside a code, where either will do
        expect(page.get_by_label("Code from your authenticator app")).to_be_visible()
        seen("challenge-both")
        page.get_by_role("button", name="Use a passkey").click()
        expect(page).to_have_url(f"{app.url}/")
        app.told(user, *PROVED, *PROVED)
        assert app.did(user, user.name) == 1

        page.goto("/_stepup/passkeys")
        page.get_by_text("Remove a passkey").click()
        page.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("It no longer counts")
        page.goto("/vault")
        expect(page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    outcomes = [line for line in app.step_ups(user) if line["phase"] == "outcome"]
    assert {line["proof"]["method"] for line in outcomes} == {"passkey"}
    assert {line["detail"].partition(":")[0] for line in outcomes} == {"authenticator"}
    app.on_record(user, "enrollment", "enrolled", "enrolled", "removed")


@pytest.mark.parametrize("name", ["demo", "fastapi"])
def test_a_passkey_in_the_dialog(browser: Browser, apps: object, name: str, pictures: Path) -> None:
    app: App = apps(name)  # type: ignore[operator]
    user = app.user()
    with with_a_device(browser, app, user) as (alice, _):
        make(alice, user)
        alice.page.goto("/")
        call(alice, app.call_of(user), 1)
        dialog = alice.page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Use a passkey")).to_be_visible()
        picture(alice.page, pictures, f"dialog-passkey-{name}")
        dialog.get_by_role("button", name="Use a passkey").click()
        assert made(alice) == [201]
    app.told(user, *PROVED)


def test_what_only_a_passkey_opens_asks_for_no_code_and_leads_to_where_passkeys_are_made(
    browser: Browser, app: App, script: bool
) -> None:
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        app.sign_in(alice, user)
        alice.page.goto("/vault")
        expect(alice.page.get_by_role("heading", name="Your passkeys")).to_be_visible()
        expect(alice.page.get_by_label("Code from your authenticator app")).to_have_count(0)
        expect(alice.page.get_by_role("button", name="Make a passkey")).to_have_count(1 if script else 0)
    app.told(user, "trigger/not_enrolled")


def test_somebody_the_device_does_not_know_is_told_so(browser: Browser, app: App) -> None:
    user = app.user()
    with with_a_device(browser, app, user) as (alice, device):
        stranger = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": False}
        assert device.send("WebAuthn.addVirtualAuthenticator", {"options": stranger})["authenticatorId"]
        page = alice.page
        page.goto("/_stepup/passkeys")
        page.evaluate("() => { PublicKeyCredential.parseCreationOptionsFromJSON = () => { throw new Error(); }; }")
        page.get_by_label("Code of what you have now").fill("000000")
        page.get_by_role("button", name="Make a passkey").click()
        expect(page.get_by_role("alert")).to_have_text("No passkey was made. Try again.")
    app.told(user)
