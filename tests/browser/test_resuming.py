"""Work is not lost, and nothing runs that nobody saw: forms and calls that a code interrupts, in each app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from .apps import App, User
from .chromium import Person, person
from .forms import FORMS, INVOICE, Form, submit
from .test_asking import ASKED, PROVED, THROUGH, answer

pytestmark = pytest.mark.slow

HOSTILE = "Bob & <b>Söhne</b>"
EACH_FORM = [(name, kind) for name, forms in FORMS.items() for kind in forms]


@pytest.fixture(params=EACH_FORM, ids="-".join)
def formed(request: pytest.FixtureRequest, apps: Callable[[str], App]) -> tuple[App, Form]:
    """An app, and a form of it that a rule or its own code interrupts."""
    app = apps(request.param[0])
    return app, app.forms[request.param[1]]


def confirm(page: Page, form: Form, code: str) -> None:
    """What was sent is never sent by itself: only by the button that says so."""
    field = page.get_by_label("Code from your authenticator app")
    field.fill(code)
    expect(field).to_be_visible()
    page.get_by_role("button", name=form.button, exact=True).first.click()


def test_a_form_is_shown_and_sent_after_the_code(browser: Browser, formed: tuple[App, Form], script: bool) -> None:
    app, form = formed
    user = app.user()
    to = f"{HOSTILE} {user.name}"
    with person(browser, app.url, java_script_enabled=script) as alice:
        app.sign_in(alice, user)
        form.fill(alice.page, to)
        page, main = alice.page, alice.page.locator("main")
        for said in ("What will be sent", user.name, *form.shown, *([to] if form.names else [])):
            expect(main).to_contain_text(said)
        before = form.count(app, user, to)
        confirm(page, form, user.wrong())
        expect(page.get_by_role("alert")).to_contain_text("Tries left: 4")
        expect(main).to_contain_text(form.shown[0])
        assert form.count(app, user, to) == before
        confirm(page, form, user.code())
        expect(page).to_have_url(f"{app.url}/")
        page.reload()
        assert form.count(app, user, to) == before + 1
        if "file" in form.shown[-1] and form.names and form.name != "pay monthly":
            expect(page.locator("li").filter(has_text=to)).to_contain_text(app.said_file())
        assert alice.complaints == []
    app.told(user, *ASKED, "challenge/rejected", "outcome/approved", *THROUGH)
    assert (app.bases(user), app.details(user)) == (["resume"], ["kept"])


def test_what_is_refused_by_a_no_is_not_sent(browser: Browser, formed: tuple[App, Form], script: bool) -> None:
    app, form = formed
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        app.sign_in(alice, user)
        form.fill(alice.page, "nobody")
        before = form.count(app, user, "nobody")
        alice.page.get_by_role("button", name="Cancel").click()
        expect(alice.page.locator("main")).to_contain_text("Nothing was done")
        alice.page.get_by_role("link", name="Go back").click()
        expect(alice.page).to_have_url(f"{app.url}/")
        assert form.count(app, user, "nobody") == before
    app.told(user, *ASKED, "outcome/denied")


CALL = """async ([path, body]) => {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body), headers });
  return { status: answer.status, ...await answer.json() };
}"""


def test_the_page_that_the_401_of_a_fetch_names_makes_the_call(browser: Browser, app: App) -> None:
    user = app.user()
    with person(browser, app.url) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/")
        asked = page.evaluate(CALL, app.call_of(user))
        assert (asked["status"], asked["type"]) == (401, "urn:stepup:challenge-required")
        page.goto(asked["page_url"])
        expect(page.locator("main")).to_contain_text(f"POST {app.call[0]}")
        page.get_by_label("Code from your authenticator app").fill(user.code())
        page.get_by_role("button", name="Confirm and send").first.click()
        expect(page.locator("body")).to_contain_text(app.call_said)
        assert alice.complaints == []
    app.told(user, *PROVED)
    assert app.bases(user) == ["resume"]


def test_a_second_submit_is_told_and_does_nothing(browser: Browser, formed: tuple[App, Form]) -> None:
    app, form = formed
    user = app.user()
    with person(browser, app.url) as alice:
        page = alice.page
        app.sign_in(alice, user)
        form.fill(page, user.name)
        first = page.locator("form").first
        fields = first.evaluate("form => Object.fromEntries(new FormData(form))")
        address, code = first.get_attribute("action") or "", user.code()
        confirm(page, form, code)
        expect(page).to_have_url(f"{app.url}/")
        done = form.count(app, user, user.name)
        submit(page, address, {**fields, "code": code})
        expect(page.get_by_role("heading", name="This challenge has ended")).to_be_visible()
        assert form.count(app, user, user.name) == done
    app.told(user, *PROVED, "access/refused")
    assert app.details(user)[-1] == "resume_gone"


def test_another_browser_neither_sees_nor_sends_it(browser: Browser, formed: tuple[App, Form], script: bool) -> None:
    app, form = formed
    user = app.user()
    with (
        person(browser, app.url) as alice,
        person(browser, app.url, java_script_enabled=script) as thief,
    ):
        app.sign_in(alice, user)
        app.sign_in(thief, user)
        form.fill(alice.page, "secret-to")
        expect(alice.page.locator("main")).to_contain_text("What will be sent")
        before = form.count(app, user, "secret-to")
        address = f"{app.url}/_stepup/challenges/{challenge_of(app, user)}"
        thief.page.goto(address)
        expect(thief.page.get_by_role("heading", name="This challenge has ended")).to_be_visible()
        submit(thief.page, f"{address}/verify", {"code": user.code()})
        expect(thief.page.get_by_role("heading", name="This challenge has ended")).to_be_visible()
        assert "secret-to" not in thief.page.content()
        assert form.count(app, user, "secret-to") == before
    app.told(user, *ASKED, "access/refused", "access/refused")
    assert app.details(user) == ["kept", "resume_foreign", "resume_foreign"]


def challenge_of(app: App, user: User) -> str:
    """The id of the challenge that somebody was asked last."""
    asked = [line for line in app.step_ups(user) if line["phase"] == "challenge"]
    return str(asked[-1]["proof"]["challenge_id"])


def planted(somebody: Person, origin: str, action: str, fields: dict[str, str]) -> None:
    """A page of another origin's that sends a form by itself."""

    def served(route: Route) -> None:
        route.fulfill(content_type="text/html", body="<h1>Win a prize</h1>")

    somebody.page.route(f"{origin}/**", served)
    somebody.page.goto(f"{origin}/")
    submit(somebody.page, action, fields)


def test_a_form_that_another_origin_planted_is_not_kept_and_never_runs(
    browser: Browser, app: App, script: bool
) -> None:
    """Another port of the same host: of the same site, so the session goes along, but not of this origin."""
    user = app.user()
    path, fields = app.plant(user, "mallory")
    with person(browser, app.url, java_script_enabled=script) as alice:
        app.sign_in(alice, user)
        planted(alice, "http://localhost:9999", app.url + path, fields)
        main = alice.page.locator("main")
        expect(main).to_contain_text("Nothing says that what was sent came from a page of this site")
        expect(main).not_to_contain_text("mallory")
        answer(alice.page, user.code(), script=script)
        expect(alice.page.get_by_role("heading", name="Confirmed")).to_be_visible()
        assert app.did(user, "mallory") == 0
        assert alice.complaints == []
    app.told(user, *ASKED, "outcome/approved")
    assert app.details(user) == ["unkept_elsewhere"]


@pytest.mark.parametrize("name", ["flask", "fastapi"])
def test_what_is_too_large_goes_back_to_the_form_as_it_was_filled_in(
    browser: Browser, apps: Callable[[str], App], name: str, script: bool
) -> None:
    """The board's form; and that of the payroll, which was opened by a proof that does not count any more."""
    app = apps(name)
    user, begun = app.user(), []
    text = f"{user.name} {app.too_much()} 1"
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/")
        field = page.get_by_label("Why")
        if name == "fastapi":
            begun = PROVED
            page.goto("/payroll")
            answer(page, user.code(steps=-1), script=script)
            field = page.get_by_label("A payment a line")
        else:
            page.get_by_label("Minutes").set_input_files(INVOICE)
        field.fill(text)
        give_up_proofs(alice, app)
        field.locator("xpath=ancestor::form//button").click()
        expect(page.locator("main")).to_contain_text(f"too large to be kept ({app.most} at most)")
        if script:  # without, a browser does not go back over the answer to a form without a word
            answer(page, user.wrong(), script=script)
            expect(page.get_by_role("alert")).to_contain_text("wrong")
        answer(page, user.code(), script=script)
        expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
        if script:
            page.get_by_role("button", name="Back to the form").click()
        else:
            page.go_back()
            page.go_back(wait_until="commit")  # out of the cache, where nothing is loaded
        expect(field).to_have_value(text)
        field.locator("xpath=ancestor::form//button").click()
        expect(page.locator("li").filter(has_text=text[:40])).to_have_count(1)
        if name == "flask":
            expect(page.locator("li").filter(has_text=text[:40])).to_contain_text(app.said_file())
        assert alice.complaints == []
    wrong = ["challenge/rejected"] if script else []
    app.told(user, *begun, *ASKED, *wrong, "outcome/approved", *THROUGH)
    assert (app.bases(user)[-1], app.details(user)) == ("grant", ["unkept_too_large"])


def give_up_proofs(somebody: Person, app: App) -> None:
    """In another tab."""
    assert somebody.context.request.delete(f"{app.url}/_stepup/grants").ok


def test_the_bank_says_so_too_and_lets_the_next_pass(browser: Browser, apps: Callable[[str], App]) -> None:
    app = apps("demo")
    user = app.user()
    large: dict[str, Any] = {"from": f"everyday-{user.name}", "to": "Dora", "amount": "1", "note": "ü" * 110}
    with person(browser, app.url) as alice:
        app.sign_in(alice, user)
        submit(alice.page, "/transfer/send", large)
        expect(alice.page.locator("main")).to_contain_text(f"too large to be kept ({app.most} at most)")
        answer(alice.page, user.code(), script=True)
        expect(alice.page.get_by_role("heading", name="Confirmed")).to_be_visible()
        assert app.did(user, "Dora") == 0
        submit(alice.page, "/transfer/send", large)
        expect(alice.page.locator("main")).to_contain_text("Sent: 1.00 to Dora.")
    app.told(user, *PROVED)
    assert (app.bases(user), app.did(user, "Dora")) == (["grant"], 1)


def test_an_empty_account_is_closed_after_the_code(browser: Browser, apps: Callable[[str], App], script: bool) -> None:
    """The bank's form of a button alone."""
    app = apps("demo")
    user = app.user()
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/settings")
        page.get_by_role("button", name="Close").click()
        expect(page.locator("main")).to_contain_text(f"POST /accounts/holiday-{user.name}/close")
        page.get_by_label("Code from your authenticator app").fill(user.code())
        page.get_by_role("button", name="Confirm and send: close-account").first.click()
        expect(page.get_by_role("status")).to_have_text("The account is closed.")
        assert alice.complaints == []
    app.told(user, *PROVED)
    assert app.bases(user) == ["resume"]
