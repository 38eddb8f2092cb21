"""Asked before the form is filled in: how fresh I am, a page that asks first, and the token by which it passes late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .apps import App
from .chromium import Person, person
from .forms import submit
from .test_asking import ASKED, PROVED, THROUGH, answer

pytestmark = pytest.mark.slow

STATUS = (
    """async ([method, path]) => (await fetch(`/_stepup/status?${new URLSearchParams({ method, path })}`)).json()"""
)


def freshness(page: Page, method: str, path: str) -> dict[str, Any]:
    """What the app's own script is told."""
    told: dict[str, Any] = page.evaluate(STATUS, [method, path])
    return told


def proof_ends(somebody: Person) -> None:
    """The cookie of the proof is gone, as when it has ended: what is sent now has the form's token alone."""
    somebody.context.clear_cookies(name="stepup")


def test_an_app_can_tell_how_fresh_i_am_before_a_form_is_filled_in(browser: Browser, app: App) -> None:
    user = app.user()
    path = "/vault" if app.page == "/export" else app.page  # no rule names the board's export: its view asks
    with person(browser, app.url) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/")
        before = freshness(page, "GET", path)
        assert (before["sensitive"], before["proof_required"], before["fresh_for_s"]) == (True, True, 0)
        assert (before["enrolled"], before["recovery_codes_left"]) == (True, 10)
        assert freshness(page, "GET", "/")["sensitive"] is False
        assert app.story(user) == []  # to ask leaves no line
        page.goto(app.page)
        answer(page, user.code(), script=True)
        expect(page.locator("body")).to_contain_text(app.page_said)
        page.goto("/")
        after = freshness(page, "GET", app.page)
        if app.page == path:
            assert after["proof_required"] is False
            assert after["max_age"] - 20 < after["fresh_for_s"] <= after["max_age"]
        assert alice.complaints == []
    app.told(user, *PROVED)


def test_a_form_that_was_opened_by_a_proof_passes_when_that_is_no_longer_there(
    browser: Browser, apps: Callable[[str], App], script: bool
) -> None:
    """FastAPI: the page of the long form asks first; its token is for this form only, once."""
    app = apps("fastapi")
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/")
        page.get_by_role("link", name="Pay many").click()
        answer(page, user.code(), script=script)
        expect(page).to_have_url(f"{app.url}/payroll")
        token = page.locator("[name=_stepup]").input_value()
        proof_ends(alice)
        page.get_by_label("A payment a line").fill(f"Ann {user.name} 10\nBen {user.name} 20")
        page.get_by_role("button", name="Pay all").click()
        expect(page.locator("li").filter(has_text=user.name)).to_have_text(
            [f"10 to Ann {user.name}", f"20 to Ben {user.name}"]
        )
        app.told(user, *PROVED, *THROUGH)
        submit(page, "/payroll", {"_stepup": token, "payments": f"Again {user.name} 1"})
        expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
        assert alice.complaints == []
    app.told(user, *PROVED, *THROUGH, *ASKED)
    assert app.bases(user) == ["grant", "grant form_token"]
    assert app.did(user, f"Again {user.name}") == 0


def test_a_form_shown_after_a_proof_passes_once_more(
    browser: Browser, apps: Callable[[str], App], script: bool
) -> None:
    """Flask: the board after it was wiped has a form with a token; the form before had none."""
    app = apps("flask")
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/")
        expect(page.locator("[name=_stepup]")).to_have_value("")
        app.forms["rule"].fill(page, f"first {user.name}")
        page.get_by_label("Code from your authenticator app").fill(user.code())
        page.get_by_role("button", name="Confirm and send: wipe").first.click()
        expect(page).to_have_url(f"{app.url}/")
        expect(page.locator("[name=_stepup]")).not_to_have_value("")
        page.get_by_label("Why").fill(f"second {user.name}")
        proof_ends(alice)
        page.get_by_role("button", name="Wipe").click()
        expect(page.locator("li").filter(has_text=f"second {user.name}")).to_have_count(1)
        assert alice.complaints == []
    app.told(user, *PROVED, *THROUGH)
    assert app.bases(user) == ["resume", "grant form_token"]


@pytest.mark.parametrize(
    ("name", "page", "path", "fields"),
    [
        ("fastapi", "/payroll", "/pay", {"to": "mallory", "amount": "1"}),
        ("fastapi", "/payroll", "/standing-orders", {"to": "mallory", "amount": "11"}),
        ("flask", "/", "/take-away", {"count": "3"}),
    ],
    ids=["another rule", "what a handler asks", "what a view asks"],
)
def test_the_token_of_a_form_passes_no_other_path(
    browser: Browser, apps: Callable[[str], App], name: str, page: str, path: str, fields: dict[str, str]
) -> None:
    app = apps(name)
    user = app.user()
    with person(browser, app.url) as alice:
        app.sign_in(alice, user)
        if name == "flask":
            app.forms["rule"].fill(alice.page, "begun")
            alice.page.get_by_label("Code from your authenticator app").fill(user.code())
            alice.page.get_by_role("button", name="Confirm and send: wipe").first.click()
            expect(alice.page).to_have_url(f"{app.url}/")
        else:
            alice.page.goto(page)
            answer(alice.page, user.code(), script=True)
        token = alice.page.locator("[name=_stepup]").input_value()
        assert token
        proof_ends(alice)
        submit(alice.page, path, {**fields, "_stepup": token})
        expect(alice.page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    app.told(user, *PROVED, *ASKED)


def test_a_proof_that_was_taken_away_is_asked_for_once_more_and_nothing_is_lost(
    browser: Browser, apps: Callable[[str], App], script: bool
) -> None:
    """What voids the proof voids the form's token, too: then the form is kept, shown and sent after another code."""
    app = apps("fastapi")
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/payroll")
        answer(page, user.code(), script=script)
        page.get_by_label("A payment a line").fill(f"Cleo {user.name} 30")
        assert alice.context.request.delete(f"{app.url}/_stepup/grants").ok
        page.get_by_role("button", name="Pay all").click()
        expect(page.locator("main")).to_contain_text(f"Cleo {user.name} 30")
        page.get_by_label("Code from your authenticator app").fill(user.code(steps=1))
        page.get_by_role("button", name="Confirm and send: payroll").first.click()
        expect(page.locator("li").filter(has_text=user.name)).to_have_text([f"30 to Cleo {user.name}"])
        assert alice.complaints == []
    app.told(user, *PROVED, *PROVED)
    assert app.bases(user) == ["grant", "resume"]
