"""The page of one's own security in a real browser: what it shows, and taking a device and a grant away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ..examples.serving import UVICORN, Example, Served, copy_example, enrolled, served
from .chromium import Person, in_every_look, person

pytestmark = pytest.mark.slow


@pytest.fixture
def spa(tmp_path: Path) -> Iterator[tuple[Example, Served]]:
    example = enrolled(copy_example("spa_payments", tmp_path / "app"))
    with served(example, UVICORN) as app:
        yield example, app


def pay(somebody: Person, code: str) -> None:
    page = somebody.page
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    page.get_by_role("dialog").get_by_label("Code").fill(code)
    expect(page.get_by_role("status")).to_have_text("Paid.")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_the_page_shows_and_takes_away(
    browser: Browser, spa: tuple[Example, Served], pictures: Path, script: bool
) -> None:
    example, app = spa
    with person(browser, app.url) as thief:
        pay(thief, example.code())
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        page.goto("/")
        page.get_by_role("button", name="Sign in").click()
        page.goto("/_stepup/security")
        expect(page.get_by_role("heading", name="Your security")).to_be_visible()
        expect(page.get_by_text("Chrome on Linux").first).to_be_visible()
        expect(page.get_by_text("Let through").first).to_be_visible()
        in_every_look(alice, pictures, f"security-{'script' if script else 'plain'}", script=script)
        for box in page.get_by_role("checkbox").all():
            box.check()
        page.get_by_label("Code of what you have now").fill(example.recovery_codes[0])
        page.get_by_role("button", name="Remove what is ticked").click()
        expect(page.get_by_role("status")).to_contain_text("no longer counts")
        expect(page.get_by_role("checkbox")).to_have_count(0)
        assert alice.complaints == []
