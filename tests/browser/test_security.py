"""The page of one's own security, in each app: what it shows, and taking a device and a proof of a thief's away."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .apps import App
from .chromium import person
from .test_asking import ASKED, PROVED, answer, at_the_page

pytestmark = pytest.mark.slow


def test_the_page_shows_what_i_have_and_takes_away_what_is_not_mine(
    browser: Browser, app: App, script: bool, pictures: Path
) -> None:
    user = app.user()
    with (
        person(browser, app.url) as thief,
        person(browser, app.url, java_script_enabled=script) as alice,
    ):
        answer(at_the_page(thief, app, user), user.code(), script=True)
        expect(thief.page.locator("body")).to_contain_text(app.page_said)
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/_stepup/security")
        main = page.locator("main")
        for said in (
            user.name,
            "10 recovery codes left",
            "Chrome on Linux",
            "Your passkeys",
            "Let through",
            "Confirmed",
        ):
            expect(main).to_contain_text(said)
        expect(page.get_by_role("checkbox")).to_have_count(2)  # the thief's device and what it has proved
        for box in page.get_by_role("checkbox").all():
            box.check()
        field = page.get_by_label("Code of what you have now")
        field.fill(user.wrong())
        page.get_by_role("button", name="Remove what is ticked").click()
        expect(page.get_by_role("alert")).to_contain_text("is wrong")
        app.on_record(user, "enrollment", "enrolled", "rejected")
        for box in page.get_by_role("checkbox").all():
            expect(box).to_be_checked()
        field.fill(user.code(steps=1))
        page.get_by_role("button", name="Remove what is ticked").click()
        expect(page.get_by_role("status")).to_contain_text("no longer counts")
        expect(page.get_by_role("checkbox")).to_have_count(0)
        thief.page.goto(app.page)
        expect(thief.page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
        assert alice.complaints == []
    app.told(user, *PROVED, *ASKED)
    kinds = {(line["event_type"], line["phase"]) for line in app.lines(user)}
    assert {("enrollment", "device_forgotten"), ("grant", "revoked")} <= kinds
