"""Every page that a person can come to, in light and dark, narrow and wide, English and German: by axe-core without a
violation, by its own policy without a complaint, never wider than the window; pictures of all to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .apps import App
from .chromium import in_every_look, person
from .forms import submit

pytestmark = pytest.mark.slow

LONG = "rent for a flat with a very long note that goes on and on and on"
DENIED = {"from": "x", "to": "Bob", "amount": "9000", "note": ""}


@pytest.mark.parametrize("language", ["en-GB", "de-DE"])
def test_every_page_is_accessible_and_looks_well(
    browser: Browser, apps: Callable[[str], App], pictures: Path, language: str
) -> None:
    app = apps("demo")
    user = app.user()
    with person(browser, app.url, locale=language) as alice:
        page = alice.page

        def seen(name: str, lang: str = language[:2]) -> None:
            expect(page.locator("html")).to_have_attribute("lang", lang)
            in_every_look(alice, pictures / language[:2], name)

        def opened(name: str, number: int = 0) -> None:
            page.locator("summary").nth(number).click()
            seen(name)
            page.locator("summary").nth(number).click()

        app.sign_in(alice, user)
        account = f"everyday-{user.name}"
        submit(page, "/transfer/send", {"from": account, "to": "Bob & Söhne", "amount": "25.00", "note": LONG[:30]})
        seen("resume")
        page.locator("form button.quiet").click()
        seen("cancelled")
        submit(page, "/transfer/send", {"from": account, "to": "Bob", "amount": "25.00", "note": LONG * 9})
        seen("unkept")
        page.locator("#code").fill(user.code(steps=-1))
        page.locator("[data-form]").wait_for()
        seen("unkept-confirmed")
        page.goto("/password")
        seen("challenge")
        opened("challenge-recovery")
        for name in ("wrong", "wrong", "wrong", "wrong", "locked"):
            page.locator("#code").fill(user.wrong())
            page.get_by_role("alert").wait_for()
            if page.url.endswith("/verify") and name == "locked":
                seen("challenge-locked")
        page.goto("/_stepup/enroll")
        seen("authenticators")
        for number, name in enumerate(("add", "recovery-codes", "lost")):
            opened(f"authenticators-{name}", number)
        page.goto("/_stepup/passkeys")
        seen("passkeys")
        page.goto("/_stepup/security")
        seen("security")
        page.goto("/_stepup/challenges/none")
        seen("gone")
        page.goto("/_stepup/nowhere")
        seen("not-found")
        assert alice.complaints == []
    newcomer = app.newcomer()
    with person(browser, app.url, locale=language) as stranger:
        app.sign_in(stranger, newcomer)
        submit(stranger.page, "/transfer/send", {**DENIED, "from": f"everyday-{newcomer.name}"})
        expect(stranger.page.locator("html")).to_have_attribute("lang", language[:2])
        in_every_look(stranger, pictures / language[:2], "denied")
        stranger.page.goto("/password")
        in_every_look(stranger, pictures / language[:2], "enroll")
        stranger.context.clear_cookies()
        stranger.page.goto("/_stepup/security")
        assert stranger.violations() == []
        assert stranger.complaints == []
