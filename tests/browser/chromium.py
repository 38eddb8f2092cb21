"""Debian's Chromium, driven by Playwright: one browser a run, a fresh profile a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from ..npm import npm_folder

CHROMIUM = "/usr/bin/chromium"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""For a machine without a network: nothing is asked of anybody but the page's own server."""

OF_A_PERSON = ("--disable-back-forward-cache",)
"""What Playwright would turn off: a person's browser goes back to a page as it was left, out of its cache."""

LOOKS: dict[str, Any] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 320, "height": 640}},
    "narrow-dark": {"color_scheme": "dark", "viewport": {"width": 320, "height": 640}},
}
AXE = "axe-core@4.11.0"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        # a person's browser goes back to a page as it was left, out of its cache; Playwright would turn that off
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=list(QUIET), ignore_default_args=["--disable-back-forward-cache"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody at a browser: one page of a profile of their own, and what the browser complained about."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page by WCAG 2.2 AA, as ``rule: where``. Needs script."""
        source = (npm_folder(AXE) / "axe-core" / "axe.min.js").read_text()
        session = self.context.new_cdp_session(self.page)  # not by a script tag: the page's policy forbids those
        session.send("Runtime.evaluate", {"expression": source})
        options = {"runOnly": {"type": "tag", "values": WCAG}}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]


@contextmanager
def person(browser: Browser, base_url: str, **options: Any) -> Iterator[Person]:
    """A fresh profile; ``options`` are Playwright's (``java_script_enabled``, ``color_scheme``, ``viewport`` …)."""
    context = browser.new_context(base_url=base_url, **options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    somebody = Person(context=context, page=page)

    def complain(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            somebody.complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: somebody.complaints.append(f"script failed: {error}"))
    try:
        yield somebody
    finally:
        context.close()


def picture(page: Page, folder: Path, name: str) -> None:
    """A screenshot for people to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def in_every_look(somebody: Person, folder: Path, name: str, *, script: bool = True) -> None:
    """Light and dark, wide and narrow, without a new page: a picture of each, which fits and breaks no rule."""
    page = somebody.page
    before = page.viewport_size
    for look, options in LOOKS.items():
        page.emulate_media(color_scheme=options["color_scheme"])
        page.set_viewport_size(options["viewport"])
        picture(page, folder, f"{name}-{look}")
        if script:
            assert somebody.violations() == [], f"{name}, {look}"
            width = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert width == 0, f"{name}, {look}: wider than the window"
    page.emulate_media(color_scheme=None)
    if before is not None:
        page.set_viewport_size(before)
