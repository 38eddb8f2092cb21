"""The FastAPI example as a person at its page: forms that a rule or the handler interrupts, kept and sent after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ..examples.serving import UVICORN, Example, Served, copy_example, enrolled, served
from .chromium import Person, person, picture
from .test_pages import PROVED, SCRIPT, basis

pytestmark = pytest.mark.slow

INVOICE = {"name": "invoice.pdf", "mimeType": "application/pdf", "buffer": bytes(range(256)) * 20}


@pytest.fixture
def payments(tmp_path: Path) -> Iterator[tuple[Example, Served]]:
    example = enrolled(copy_example("fastapi_payments", tmp_path / "app"))
    with served(example, UVICORN) as app:
        yield example, app


def fill_in(somebody: Person, button: str, *, to: str = "Bob & <b>Söhne</b>", amount: str = "250") -> None:
    """Sign in, fill in the form with that button, a file too, and send it."""
    page = somebody.page
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    form = page.locator("form").filter(has=page.get_by_role("button", name=button, exact=True))
    form.get_by_label("To").fill(to)
    form.get_by_label("Amount").fill(amount)
    form.get_by_label("Invoice").set_input_files(INVOICE)  # type: ignore[arg-type]  # a mapping of a type of its own
    form.get_by_role("button", name=button, exact=True).click()


@SCRIPT
def test_a_form_with_a_file_is_shown_and_sent_after_the_code(
    browser: Browser, payments: tuple[Example, Served], script: bool
) -> None:
    example, app = payments
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        fill_in(alice, "Pay")
        for said in ("POST /pay", "Bob & <b>Söhne</b>", "250", "and 1 file"):
            expect(page.locator("main")).to_contain_text(said)
        page.get_by_label("Code from your authenticator app").fill("000000")
        page.get_by_role("button", name="Confirm and send: pay-form").click()
        expect(page.get_by_role("alert")).to_contain_text("Tries left: 4")
        page.get_by_label("Code from your authenticator app").fill(example.code())
        page.get_by_role("button", name="Confirm and send: pay-form").click()
        expect(page).to_have_url(f"{app.url}/")
        expect(page.locator("li")).to_have_text(["250 to Bob & <b>Söhne</b> for invoice.pdf, 5120 bytes"])
        assert alice.complaints == []
    assert example.story() == [*PROVED[:2], "challenge/rejected", *PROVED[2:]]
    assert basis(example.folder) == ["resume"]


@SCRIPT
def test_a_form_that_the_handler_interrupts_is_sent_after_the_code(
    browser: Browser, payments: tuple[Example, Served], pictures: Path, script: bool
) -> None:
    example, app = payments
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        fill_in(alice, "Pay monthly")
        for said in ("a standing order", "POST /standing-orders", "Bob & <b>Söhne</b>", "250", "and 1 file"):
            expect(page.locator("main")).to_contain_text(said)
        if script:
            picture(page, pictures, "resume-of-the-handler")
            assert alice.violations() == []
        page.get_by_label("Code from your authenticator app").fill(example.code())
        page.get_by_role("button", name="Confirm and send", exact=True).click()
        expect(page).to_have_url(f"{app.url}/")
        expect(page.locator("li")).to_have_text(["250 to Bob & <b>Söhne</b>, monthly"])
        page.reload()
        expect(page.locator("li")).to_have_count(1)
        assert alice.complaints == []
    assert example.story() == PROVED
    assert basis(example.folder) == ["resume"]


@SCRIPT
def test_what_is_refused_by_a_no_is_not_sent(browser: Browser, payments: tuple[Example, Served], script: bool) -> None:
    example, app = payments
    with person(browser, app.url, java_script_enabled=script) as alice:
        page = alice.page
        fill_in(alice, "Pay monthly")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("main")).to_contain_text("Nothing was done")
        page.get_by_role("link", name="Go back").click()
        expect(page).to_have_url(f"{app.url}/")
        expect(page.locator("li")).to_have_count(0)
    assert example.story() == [*PROVED[:2], "outcome/denied"]


def test_a_second_submit_is_told_and_pays_nothing(browser: Browser, payments: tuple[Example, Served]) -> None:
    example, app = payments
    with person(browser, app.url) as alice:
        page = alice.page
        fill_in(alice, "Pay monthly")
        fields = page.locator("form").first.evaluate("form => Object.fromEntries(new FormData(form))")
        address = page.locator("form").first.get_attribute("action") or ""
        code = example.code()
        page.get_by_label("Code from your authenticator app").fill(code)
        page.get_by_role("button", name="Confirm and send", exact=True).click()
        expect(page.locator("li")).to_have_count(1)
        again = page.evaluate(
            """async ([url, fields]) => (await fetch(url, { method: "POST", body: new URLSearchParams(fields),
              headers: { Accept: "text/html" } })).status""",
            [address, {**fields, "code": code}],
        )
        assert again == 410
        page.goto("/")
        expect(page.locator("li")).to_have_count(1)
    assert example.story() == [*PROVED, "access/refused"]
