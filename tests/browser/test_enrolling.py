"""The first authenticator and the recovery codes, from the form that needed them to the app, in a real browser."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from playwright.sync_api import Browser, expect

from ..examples.serving import GUNICORN, Example, Served, copy_example, served
from .chromium import Person, in_every_look, person
from .test_pages import signed_in

pytestmark = pytest.mark.slow

LOGO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
BRAND = """
[challenge]
enroll = "self"

[page]
accent = "#b4540a"
logo = "logo.png"
support = "Call the help desk, 1234."
"""


@pytest.fixture
def board(tmp_path: Path) -> Iterator[tuple[Example, Served]]:
    """The message board, where people enroll themselves, in colours of its own."""
    example = copy_example("flask_board", tmp_path / "app")
    with (example.folder / "stepup.toml").open("a") as settings:
        settings.write(BRAND)
    (example.folder / "logo.png").write_bytes(LOGO)
    with served(example, GUNICORN) as running:
        yield example, running


def check(somebody: Person, pictures: Path, name: str, script: bool) -> None:
    in_every_look(somebody, pictures, f"{name}-{'script' if script else 'no-script'}", script=script)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_from_nothing_to_a_recovery_code(
    browser: Browser, board: tuple[Example, Served], pictures: Path, script: bool
) -> None:
    example, running = board
    permissions = ["clipboard-read", "clipboard-write"] if script else []
    with person(browser, running.url, java_script_enabled=script, permissions=permissions) as alice:
        page = alice.page
        signed_in(alice, running)
        page.goto("/_stepup/enroll")
        check(alice, pictures, "enroll", script)
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
        expect(page.locator("main img")).to_be_visible()
        secret = page.locator(".secret").inner_text().replace(" ", "").strip()
        field = page.get_by_label("2. Enter the code it shows now")
        field.fill("000000")
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("alert")).to_contain_text("is wrong")
        check(alice, pictures, "enroll-wrong", script)
        secret = page.locator(".secret").inner_text().replace(" ", "").strip()
        page.get_by_label("2. Enter the code it shows now").fill(pyotp.TOTP(secret).now())
        page.get_by_label("Name it").fill("My phone")
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("heading", name="Authenticator confirmed")).to_be_visible()
        codes = page.locator("pre").inner_text().split()
        assert len(codes) == 10
        page.get_by_text("If you lose your phone").click()
        expect(page.locator("details")).to_contain_text("Call the help desk, 1234.")
        check(alice, pictures, "codes", script)
        if script:
            page.get_by_role("button", name="Copy").click()
            expect(page.get_by_role("button", name="Copied")).to_be_visible()
            assert page.evaluate("() => navigator.clipboard.readText()").split() == codes
            expect(page.get_by_role("button", name="Print")).to_be_visible()
        else:
            expect(page.get_by_role("button")).to_have_count(0)
        page.get_by_role("link", name="Your authenticators").click()
        expect(page.locator("main")).to_contain_text("10 recovery codes left")
        check(alice, pictures, "authenticators", script)
        page.goto(f"{running.url}/")
        page.evaluate("""() => { const form = document.createElement("form");
          Object.assign(form, { method: "post", action: "/wipe" }); document.body.append(form); form.submit(); }""")
        page.get_by_text("Use a recovery code instead").click()
        page.get_by_label("Recovery code").fill(codes[0].lower())
        page.locator("details").get_by_role("button").click()
        expect(page).to_have_url(f"{running.url}/")
        assert alice.complaints == []
    assert example.story()[-5:] == [
        "trigger/required", "challenge/issued", "outcome/approved", "access/allowed", "result/completed",
    ]  # fmt: skip
