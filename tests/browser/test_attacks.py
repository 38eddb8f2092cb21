"""What a hostile site, a hostile name and a hostile value come to, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from ..examples.serving import GUNICORN, Example, Served, copy_example, enrolled, served
from .chromium import Person, person
from .test_pages import basis

pytestmark = pytest.mark.slow

ALICE = "<img src=x onerror=hacked=1>"
RULES = """
[[routes]]
name = "<script>hacked=1</script>"
path = "/notes/{rest:path}"
challenge = "always"
show = ["to", "\\"><img src=x onerror=hacked=1>"]
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Example, Served]]:
    example = enrolled(copy_example("flask_board", tmp_path_factory.mktemp("board") / "app"), ALICE)
    settings = example.folder / "stepup.toml"
    settings.write_text(settings.read_text().replace("risk = 60", 'risk = 60\nshow = ["to"]') + RULES)
    with served(example, GUNICORN) as running:
        yield example, running


@pytest.fixture
def alice(browser: Browser, board: tuple[Example, Served]) -> Iterator[Person]:
    with person(browser, board[1].url) as somebody:
        answer = somebody.context.request.post(f"{board[1].url}/sign-in/{ALICE}", max_redirects=0)
        assert answer.status == 302
        yield somebody


def evil(page: Page, content: str) -> None:
    """A page of another site, as if it were served."""

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/html", body=content)

    page.route("https://evil.example/**", answer)
    page.goto("https://evil.example/")


def submit(page: Page, url: str, fields: dict[str, str]) -> None:
    page.evaluate(
        """([action, fields]) => {
          const form = document.createElement("form");
          Object.assign(form, { method: "post", action });
          for (const [name, value] of Object.entries(fields))
            form.append(Object.assign(document.createElement("textarea"), { name, value }));
          document.body.append(form);
          HTMLFormElement.prototype.submit.call(form);
        }""",
        [url, fields],
    )


def test_a_form_that_another_site_sends_is_not_kept_and_never_runs(
    alice: Person, board: tuple[Example, Served]
) -> None:
    example, running = board
    evil(alice.page, "<h1>Win a prize</h1>")
    submit(alice.page, f"{running.url}/wipe", {"to": "mallory"})
    # the session's cookie may stay away (SameSite): then nobody is signed in, and nothing is asked at all
    expect(alice.page.locator("body")).not_to_contain_text("mallory")
    expect(alice.page.get_by_role("button", name="Confirm and send")).to_have_count(0)
    assert "resume" not in basis(example.folder)


def test_a_code_that_another_site_sends_is_refused(alice: Person, board: tuple[Example, Served]) -> None:
    example, _ = board
    alice.page.goto("/")
    submit(alice.page, "/wipe", {"to": "bob"})
    expect(alice.page.locator("main")).to_contain_text("bob")
    page = alice.page.url
    before = basis(example.folder)
    evil(alice.page, "<h1>Win a prize</h1>")
    submit(alice.page, f"{page}/verify", {"code": example.code()})
    # without the session's cookie (SameSite) nobody is signed in; with it, the form is another site's
    expect(alice.page.locator("h1")).to_have_text(re.compile("Sign in first|This request cannot be judged"))
    assert basis(example.folder) == before


def test_no_page_can_be_framed(alice: Person, board: tuple[Example, Served]) -> None:
    evil(
        alice.page,
        f'<iframe src="{board[1].url}/_stepup/enroll"></iframe><iframe src="{board[1].url}/notes/x"></iframe>',
    )
    alice.page.wait_for_timeout(500)
    for frame in alice.page.frames[1:]:
        assert "Confirm it is you" not in frame.content()
        assert "authenticator" not in frame.content()


def test_hostile_text_is_shown_and_does_nothing(alice: Person, board: tuple[Example, Served]) -> None:
    hostile = '"><img src=x onerror=hacked=1><script>hacked=1</script>{{script}}'
    alice.page.goto("/")
    submit(alice.page, "/notes/<svg onload=hacked=1>", {"to": hostile, '"><img src=x onerror=hacked=1>': hostile})
    main = alice.page.locator("main")
    for said in (hostile, ALICE, "<script>hacked=1</script>", "/notes/<svg onload=hacked=1>"):
        expect(main).to_contain_text(said)
    assert alice.page.evaluate("() => typeof hacked") == "undefined"
    assert alice.page.locator("main img, main svg, main script").count() == 0
    alice.page.locator("#code").fill("123123")
    alice.page.get_by_role("button", name="Confirm and send").first.click()
    expect(alice.page.get_by_role("alert")).to_be_visible()
    assert alice.page.evaluate("() => typeof hacked") == "undefined"
    assert alice.complaints == []


def test_the_way_back_stays_on_the_site(alice: Person, board: tuple[Example, Served]) -> None:
    example, running = board
    alice.page.goto("/notes//evil.example/%2f..//%5cevil.example")
    alice.page.locator("#code").fill(example.code(steps=1))
    expect(alice.page.locator("main#none")).to_have_count(0)
    alice.page.wait_for_url(f"{running.url}/**")
    assert alice.page.url.startswith(f"{running.url}/")
