"""The forms of the apps that a code interrupts, and how a person fills each in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from .apps import App, User

INVOICE: Any = {"name": "minutes.pdf", "mimeType": "application/pdf", "buffer": bytes(range(256)) * 20}
"""A file of 5120 bytes, each of which there is."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of an app's own. ``fill``: go where it is, fill it in with a text for whom or why, and send it. ``shown``:
    what our page says of it; ``names``: and that text; ``button``: what sends it."""

    name: str
    fill: Callable[[Page, str], None]
    shown: tuple[str, ...]
    button: str
    names: bool = True

    def count(self, app: App, user: User, text: str) -> int:
        """How often it has done what it is for, with that text if it has one."""
        return app.did(user, text) if self.names else app.taken()


def send_money(page: Page, to: str) -> None:
    """From a form of the bank's origin, straight to what needs a code: its own form first leads to a review."""
    page.goto("/")
    user = (page.locator("h1").text_content() or "").removeprefix("Hello, ")
    submit(page, "/transfer/send", {"from": f"everyday-{user}", "to": to, "amount": "25.00", "note": "rent"})


def submit(page: Page, action: str, fields: dict[str, str]) -> None:
    """A form that stands on no page, but is sent from one."""
    page.evaluate(
        """([action, fields]) => {
          const form = document.createElement("form");
          Object.assign(form, { method: "post", action });
          for (const [name, value] of Object.entries(fields))
            form.append(Object.assign(document.createElement("textarea"), { name, value }));
          document.body.append(form);
          HTMLFormElement.prototype.submit.call(form);
        }""",
        [action, fields],
    )


def wipe(page: Page, why: str) -> None:
    page.goto("/")
    page.get_by_label("Why").fill(why)
    page.get_by_label("Minutes").set_input_files(INVOICE)
    page.get_by_role("button", name="Wipe").click()


def take_away(page: Page, text: str) -> None:
    page.goto("/")
    for number in range(3):
        page.get_by_label("Message").fill(f"{text} {number}")
        page.get_by_role("button", name="Post").click()
        expect(page.locator("li").filter(has_text=f"{text} {number}")).not_to_have_count(0)
    page.get_by_label("How many").fill("3")
    page.get_by_role("button", name="Take away").click()


def pay(button: str) -> Callable[[Page, str], None]:
    def fill(page: Page, to: str) -> None:
        page.goto("/")
        form = page.locator("form").filter(has=page.get_by_role("button", name=button, exact=True))
        form.get_by_label("To").fill(to)
        form.get_by_label("Amount").fill("250")
        form.get_by_label("Invoice").set_input_files(INVOICE)
        form.get_by_role("button", name=button, exact=True).click()

    return fill


FORMS: dict[str, dict[str, Form]] = {
    "demo": {
        "rule": Form(
            name="transfer",
            fill=send_money,
            shown=("POST /transfer/send", "25.00", "rent", "and 1 more field"),
            button="Confirm and send: transfer",
        )
    },
    "flask": {
        "rule": Form(
            name="wipe", fill=wipe, shown=("POST /wipe", "and 1 file"), button="Confirm and send: wipe"
        ),
        "view": Form(
            name="take away",
            fill=take_away,
            shown=("many messages at once", "POST /take-away", "3", "and 1 more field"),
            button="Confirm and send",
            names=False,
        ),
    },
    "fastapi": {
        "rule": Form(
            name="pay", fill=pay("Pay"), shown=("POST /pay", "250", "and 1 file"), button="Confirm and send: pay-form"
        ),
        "view": Form(
            name="pay monthly",
            fill=pay("Pay monthly"),
            shown=("a standing order", "POST /standing-orders", "250", "and 1 file"),
            button="Confirm and send",
        ),
    },
}  # fmt: skip
