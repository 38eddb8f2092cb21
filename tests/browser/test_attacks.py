"""What a hostile site, a hostile name and a hostile value come to, in a real browser, in each app."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from .apps import App, User
from .chromium import Person, person
from .forms import submit
from .test_asking import ASKED
from .test_resuming import challenge_of

pytestmark = pytest.mark.slow

NAME = "<img src=x onerror=hacked=1>"


@pytest.fixture
def alice(browser: Browser, app: App) -> Iterator[tuple[Person, User]]:
    user = app.user()
    with person(browser, app.url) as somebody:
        app.sign_in(somebody, user)
        yield somebody, user


def evil(page: Page, content: str = "<h1>Win a prize</h1>") -> None:
    """A page of another site, as if it were served."""

    def served(route: Route) -> None:
        route.fulfill(content_type="text/html", body=content)

    page.route("https://evil.example/**", served)
    page.goto("https://evil.example/")


def test_a_form_that_another_site_sends_is_not_kept_and_never_runs(alice: tuple[Person, User], app: App) -> None:
    somebody, user = alice
    evil(somebody.page)
    path, fields = app.plant(user, "mallory")
    submit(somebody.page, app.url + path, fields)
    # the session's cookie stays away (SameSite): nobody is signed in, and nothing is asked at all
    somebody.page.wait_for_url(f"{app.url}/**")
    expect(somebody.page.locator("body")).not_to_contain_text("mallory")
    assert app.did(user, "mallory") == 0
    assert app.story(user) == []


def test_a_code_that_another_site_sends_is_refused(alice: tuple[Person, User], app: App) -> None:
    somebody, user = alice
    somebody.page.goto("/")
    app.forms["rule"].fill(somebody.page, user.name)
    expect(somebody.page.locator("main")).to_contain_text("What will be sent")
    verify = f"{app.url}/_stepup/challenges/{challenge_of(app, user)}/verify"
    evil(somebody.page)
    submit(somebody.page, verify, {"code": user.code()})
    # without the session's cookie (SameSite) nobody is signed in; with it, the form is another site's
    somebody.page.wait_for_url(f"{app.url}/**")
    expect(somebody.page.get_by_role("heading", name="Confirmed")).to_have_count(0)
    assert app.did(user, user.name) == 0
    app.told(user, *ASKED)


@pytest.mark.parametrize("path", ["enroll", "security", "passkeys"])
def test_a_change_that_another_site_sends_is_refused(alice: tuple[Person, User], app: App, path: str) -> None:
    """Of the same site, so that the session goes along; but of another origin."""
    somebody, user = alice

    def served(route: Route) -> None:
        route.fulfill(content_type="text/html", body="<h1>Win a prize</h1>")

    somebody.page.route("http://localhost:9999/**", served)
    somebody.page.goto("http://localhost:9999/")
    wish = {"action": "recovery_codes", "current_code": user.code()}
    submit(somebody.page, f"{app.url}/_stepup/{path}", wish)
    expect(somebody.page.get_by_role("heading", name="This request cannot be judged")).to_be_visible()
    expect(somebody.page.locator("main")).to_contain_text("This form was sent from another site.")
    app.on_record(user, "enrollment", "enrolled")


def test_no_page_can_be_framed(alice: tuple[Person, User], app: App) -> None:
    somebody, _ = alice
    pages = ("/_stepup/enroll", "/_stepup/security", "/_stepup/passkeys", app.page, "/notes/x")
    evil(somebody.page, "".join(f'<iframe src="{app.url}{path}"></iframe>' for path in pages))
    somebody.page.wait_for_timeout(500)
    assert len(somebody.page.frames) == 1 + len(pages)
    for frame in somebody.page.frames[1:]:
        assert not re.search("Confirm it is you|Your (security|passkeys|authenticators)", frame.content())


def test_hostile_text_is_shown_and_does_nothing(browser: Browser, app: App) -> None:
    hostile = '"><img src=x onerror=hacked=1><script>hacked=1</script>{{script}}'
    name = f"{NAME}{app.names}"
    app.enroll(name)
    user = app.user()
    assert user.name == name
    with person(browser, app.url) as alice:
        page = alice.page
        app.sign_in(alice, user)
        page.goto("/")
        submit(page, "/notes/<svg onload=hacked=1>", {"to": hostile, '"><img src=x onerror=hacked=1>': hostile})
        main = page.locator("main")
        for said in (hostile, name, "<script>hacked=1</script>", "/notes/<svg onload=hacked=1>"):
            expect(main).to_contain_text(said)
        page.locator("#code").fill(user.wrong())
        page.get_by_role("button", name="Confirm and send").first.click()
        expect(page.get_by_role("alert")).to_be_visible()
        for path in ("security", "enroll", "passkeys"):
            assert page.evaluate("() => typeof hacked") == "undefined"
            assert page.locator("main [src=x], main [onload], main script").count() == 0
            page.goto(f"/_stepup/{path}")
            expect(main).to_contain_text(name)
        assert page.evaluate("() => typeof hacked") == "undefined"
        assert alice.complaints == []
    app.told(user, *ASKED, "challenge/rejected")


def test_the_way_back_stays_on_the_site(alice: tuple[Person, User], app: App) -> None:
    somebody, user = alice
    somebody.page.goto("/notes//evil.example/%2f..//%5cevil.example")
    somebody.page.locator("#code").fill(user.code())
    somebody.page.wait_for_url(f"{app.url}/notes/**")
    assert somebody.page.url.startswith(f"{app.url}/")
    app.told(user, *ASKED, "outcome/approved", "access/allowed", "result/completed")
