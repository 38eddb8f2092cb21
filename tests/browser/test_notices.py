"""Notices of what people do on the pages of each app: by a signed webhook, and to a function of the app's own."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from .apps import App, User
from .chromium import Person, person
from .test_asking import answer, at_the_page

pytestmark = pytest.mark.slow


def by_recovery_code(somebody: Person, app: App, user: User, code: str) -> None:
    page = at_the_page(somebody, app, user)
    page.get_by_text("Use a recovery code instead").click()
    page.get_by_label("Recovery code").fill(code)
    page.locator("details").get_by_role("button", name="Confirm").click()
    expect(page.locator("body")).to_contain_text(app.page_said)


def kinds(app: App, user: User, count: int) -> list[str]:
    """The kinds of the first so many notices, each with a signature that is right, and the function's the same."""
    told = [notice["type"].removeprefix("step_up.") for notice in app.inbox.notices(count, user=user.name)]
    app.wait(lambda: sorted(app.heard(user)) == sorted(told))
    return told


def test_a_story_ends_with_its_notices(browser: Browser, app: App, script: bool) -> None:
    """A code used twice, another device, a recovery code, a new set of codes, and a lock."""
    user = app.user()
    code = user.code()
    with person(browser, app.url, java_script_enabled=script) as laptop:
        answer(at_the_page(laptop, app, user), code, script=script)
        expect(laptop.page.locator("body")).to_contain_text(app.page_said)
    with person(browser, app.url, java_script_enabled=script, user_agent="Phone") as phone:
        answer(at_the_page(phone, app, user), code, script=script)
        expect(phone.page.get_by_role("alert")).to_contain_text("used before")
        assert kinds(app, user, 1) == ["duplicate_code"]
        phone.page.goto("/_stepup/enroll")
        phone.page.get_by_text("New recovery codes", exact=True).click()
        opened = phone.page.locator("details[open]")
        opened.get_by_label("Code of what you have now").fill(user.code(steps=1))
        opened.get_by_role("button", name="Make new codes").click()
        codes = phone.page.locator("pre").inner_text().split()
        assert kinds(app, user, 3)[1:] == ["new_device", "factor_changed"]
        by_recovery_code(phone, app, user, codes[0])
        assert "recovery_code_used" in kinds(app, user, 5)[3:]
    with person(browser, app.url, java_script_enabled=script) as thief:
        page = at_the_page(thief, app, user)
        for _ in range(5):
            answer(page, user.wrong(), script=script)
            expect(page.get_by_role("alert")).to_be_visible()
        assert kinds(app, user, 6)[5:] == ["locked"]
    told = app.inbox.notices(6, user=user.name)
    new = [notice["data"] for notice in told if notice["type"] == "step_up.new_device"]
    assert ("Phone", "127.0.0.1") in [(data["user_agent"], data["ip"]) for data in new]
    assert all(user.secret not in str(notice) for notice in told)


def test_a_function_that_fails_is_on_record_and_in_nobodys_way(browser: Browser, app: App) -> None:
    user = app.user()
    (app.example.folder / "deaf").write_text(user.name)
    with person(browser, app.url) as alice:
        by_recovery_code(alice, app, user, user.recovery_codes[0])
    assert [notice["type"] for notice in app.inbox.notices(1, user=user.name)] == ["step_up.recovery_code_used"]
    app.wait(lambda: any(line["phase"] == "notice_failed" for line in app.lines()))
    (failed,) = [line for line in app.lines() if line["phase"] == "notice_failed"]
    assert (failed["event_type"], failed["detail"]["kind"]) == ("alert", "recovery_code_used")
    assert (failed["detail"]["to"], failed["detail"]["why"]) == ("on_notice", "RuntimeError")
    assert app.heard(user) == []
