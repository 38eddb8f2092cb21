"""Passkeys in a real browser, by Chromium's virtual authenticator: made, used on page and in dialog, removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, CDPSession, expect

from ..examples.serving import Example, Served, copy_example, enrolled, served
from ..servers import free_port
from .chromium import Person, in_every_look, person, picture

pytestmark = pytest.mark.slow

POLICY = """
[passkeys]
rp_id = "localhost"
origins = ["http://localhost:{port}"]

[[routes]]
name = "notebook"
path = "/export"
methods = ["GET"]
risk = 60
factors = ["passkey"]
"""


@dataclass(frozen=True, kw_only=True)
class Notes:
    example: Example
    served: Served
    url: str


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notes]:
    example, port = copy_example("spa_payments", tmp_path_factory.mktemp("notes") / "app"), free_port()
    config = example.folder / "stepup.toml"
    text = config.read_text().replace("risk = 60", 'risk = 60\nfactors = ["passkey", "totp", "recovery_code"]')
    config.write_text(text + POLICY.format(port=port))
    example = enrolled(example)
    command = ("uvicorn", "--host", "127.0.0.1", "--port", str(port), "--no-proxy-headers")
    with served(example, command) as app:
        yield Notes(example=example, served=app, url=f"http://localhost:{port}")


@pytest.fixture
def alice(browser: Browser, notes: Notes) -> Iterator[tuple[Person, CDPSession]]:
    """Signed in, with an authenticator of the platform's that verifies her."""
    with person(browser, notes.url) as somebody:
        device = somebody.context.new_cdp_session(somebody.page)
        device.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
        }
        device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        somebody.page.goto("/")
        somebody.page.get_by_role("button", name="Sign in").click()
        yield somebody, device
        assert somebody.complaints == []


def test_a_passkey_from_its_making_to_its_end(alice: tuple[Person, CDPSession], notes: Notes, pictures: Path) -> None:
    somebody, _ = alice
    page = somebody.page
    page.goto("/_stepup/passkeys")
    expect(page.get_by_role("heading", name="Your passkeys")).to_be_visible()
    in_every_look(somebody, pictures, "passkeys-none")
    page.get_by_label("Name it").fill("my laptop")
    page.get_by_label("Code of what you have now").fill(notes.example.code())
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("status")).to_contain_text("It is yours from now on")
    page.get_by_role("link", name="Your passkeys").click()
    expect(page.locator(".devices")).to_contain_text("my laptop")
    in_every_look(somebody, pictures, "passkeys-one")

    page.goto("/export")  # on the page: a navigation that only a passkey opens
    expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
    expect(page.get_by_label("Code from your authenticator app")).to_have_count(0)
    in_every_look(somebody, pictures, "challenge-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.locator("body")).to_contain_text("Not Found")  # the app's own word, for it has no such page
    assert page.url.endswith("/export")

    page.goto("/")  # in the dialog: a call of a script
    page.get_by_role("button", name="Pay", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Use a passkey")).to_be_visible()
    picture(page, pictures, "dialog-passkey")
    dialog.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("status")).to_have_text("Paid.")

    page.goto("/_stepup/passkeys")
    page.get_by_text("Remove a passkey").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("It no longer counts")
    page.goto("/export")
    expect(page.get_by_role("button", name="Use a passkey")).to_have_count(0)
    assert notes.example.story().count("outcome/approved") == 2


def test_somebody_the_device_does_not_know_is_told_so(alice: tuple[Person, CDPSession], notes: Notes) -> None:
    somebody, device = alice
    page = somebody.page
    found = device.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": False,
    }})  # fmt: skip
    assert found["authenticatorId"]
    page.goto("/_stepup/passkeys")
    page.evaluate("() => { PublicKeyCredential.parseCreationOptionsFromJSON = () => { throw new Error(); }; }")
    page.get_by_label("Code of what you have now").fill("000000")
    page.get_by_role("button", name="Make a passkey").click()
    expect(page.get_by_role("alert")).to_have_text("No passkey was made. Try again.")
