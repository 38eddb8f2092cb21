"""``client.js``: the dialog, one for many calls, a no, an abort; in each app, and under the strict policy of one."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

import stepup_mw

from ..examples.serving import UVICORN, Example, Served, copy_example, enrolled, served
from ..npm import npm_folder
from .apps import App, User
from .chromium import Person, in_every_look, person
from .test_asking import ASKED, PROVED

pytestmark = pytest.mark.slow

CLIENT = Path(stepup_mw.__file__).parent / "client"


@pytest.fixture(scope="module")
def spa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Example, Served]]:
    example = enrolled(copy_example("spa_payments", tmp_path_factory.mktemp("spa") / "app"))
    with served(example, UVICORN) as app:
        yield example, app


def call(somebody: Person, path_and_body: list[Any], times: int) -> None:
    """Make a call so many times at once, and keep what became of them in ``window.made``."""
    somebody.page.evaluate(
        """async ([path, body, times]) => {
          const { wrap } = await import("/_stepup/client.js");
          const fetch = wrap(window.fetch);
          const headers = { "Content-Type": "application/json" };
          const one = () => fetch(path, { method: "POST", body: JSON.stringify(body), headers })
            .then(answer => answer.status, error => error.name);
          window.made = Promise.all(Array.from({ length: times }, one));
        }""",
        [*path_and_body, times],
    )


def made(somebody: Person) -> list[object]:
    return list(somebody.page.evaluate("() => window.made"))


def test_a_single_page_app_asks_in_a_dialog_under_its_own_policy(
    browser: Browser, spa: tuple[Example, Served], pictures: Path
) -> None:
    example, app = spa
    with person(browser, app.url) as alice:
        page = alice.page
        page.goto("/")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("You will be asked for a code.")).to_be_visible()
        dialog = page.get_by_role("dialog", name="Confirm it is you")
        page.get_by_role("button", name="Pay", exact=True).click()
        expect(dialog).to_contain_text("POST /payments")
        expect(dialog.get_by_label("Code from your authenticator app")).to_be_focused()
        in_every_look(alice, pictures, "dialog")
        dialog.get_by_label("Code").fill("000000")
        expect(dialog.get_by_role("alert")).to_contain_text("Tries left: 4")
        in_every_look(alice, pictures, "dialog-wrong")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("status")).to_have_text("Not paid: you did not confirm.")
        page.get_by_role("button", name="Pay", exact=True).click()
        dialog.get_by_label("Code").fill(example.code())  # the sixth digit sends it
        expect(page.get_by_role("status")).to_have_text("Paid.")
        expect(dialog).to_have_count(0)
        expect(page.locator("li")).to_have_text(["20 to bob"])
        expect(page.get_by_text("You will be asked for a code.")).to_be_hidden()
        assert alice.complaints == []
    assert example.story() == [*ASKED, "challenge/rejected", "outcome/denied", *PROVED]


@pytest.fixture
def alice(browser: Browser, app: App) -> Iterator[tuple[Person, User]]:
    """On a page of an app's, signed in; whatever they do breaks no policy."""
    user = app.user()
    with person(browser, app.url) as somebody:
        app.sign_in(somebody, user)
        somebody.page.goto("/")
        yield somebody, user
        assert somebody.complaints == []


def test_many_calls_in_flight_are_one_dialog(alice: tuple[Person, User], app: App) -> None:
    somebody, user = alice
    times = 1 if app.call[0] == "/payments" else 3  # there each payment has a code of its own
    call(somebody, app.call_of(user), times)
    dialog = somebody.page.get_by_role("dialog")
    expect(dialog).to_have_count(1)
    dialog.get_by_label("Code").fill(user.wrong())
    expect(dialog.get_by_role("alert")).to_contain_text("Tries left: 4")
    dialog.get_by_label("Code").fill(user.code())
    assert made(somebody) == [app.call_status] * times
    assert somebody.page.locator("dialog").count() == 0
    app.wait(lambda: app.story(user).count("result/completed") == times)
    assert app.bases(user) == ["grant"] * times
    assert app.story(user).count("outcome/approved") == 1


def test_a_no_is_an_error_with_a_name_for_every_call_that_waited(alice: tuple[Person, User], app: App) -> None:
    somebody, user = alice
    call(somebody, app.call_of(user), 2)
    expect(somebody.page.get_by_role("dialog")).to_have_count(1)
    somebody.page.keyboard.press("Escape")
    assert made(somebody) == ["StepUpCancelled"] * 2
    expect(somebody.page.get_by_role("dialog")).to_have_count(0)
    assert app.bases(user) == []
    app.wait(lambda: "outcome/denied" in app.story(user), lambda: app.story(user))


def test_an_aborted_call_takes_its_dialog_along(alice: tuple[Person, User], app: App) -> None:
    somebody, user = alice
    name = somebody.page.evaluate(
        """async ([path, body]) => {
          const { wrap } = await import("/_stepup/client.js");
          const stop = new AbortController();
          const call = wrap(window.fetch)(path, { method: "POST", body: JSON.stringify(body), signal: stop.signal });
          while (!document.querySelector("dialog")) await new Promise(done => setTimeout(done, 20));
          stop.abort();
          return [await call.catch(error => error.name), document.querySelectorAll("dialog").length];
        }""",
        app.call_of(user),
    )
    assert name == ["AbortError", 0]
    assert app.bases(user) == []


def test_a_recovery_code_will_do(alice: tuple[Person, User], app: App) -> None:
    somebody, user = alice
    call(somebody, app.call_of(user), 1)
    dialog = somebody.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Use a recovery code").click()
    dialog.get_by_label("Recovery code").fill(user.recovery_codes[0])
    dialog.get_by_role("button", name="Confirm").click()
    assert made(somebody) == [app.call_status]
    app.told(user, *PROVED)


def test_its_size_is_under_4_kb_compressed() -> None:
    assert len(gzip.compress((CLIENT / "client.js").read_bytes(), 9)) < 4000


def test_its_types_hold_for_a_strict_program(tmp_path: Path) -> None:
    modules = npm_folder("typescript@5.9.3")
    (tmp_path / "client.d.ts").write_text((CLIENT / "client.d.ts").read_text())
    (tmp_path / "app.ts").write_text(
        """import { StepUpCancelled, status, wrap } from "./client.js";
const fetch: typeof globalThis.fetch = wrap(globalThis.fetch, { texts: { title: "Sure?" }, headers: { "x-a": "b" } });
export async function pay(): Promise<boolean> {
  try {
    return (await fetch("/payments", { method: "POST" })).ok && !(await status("POST", "/payments")).proof_required;
  } catch (error) {
    if (error instanceof StepUpCancelled) return error.name === "StepUpCancelled";
    throw error;
  }
}
"""
    )
    options = {"strict": True, "target": "es2022", "module": "esnext", "lib": ["es2022", "dom"], "noEmit": True}
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["app.ts"]}))
    done = subprocess.run(
        ["node", str(modules / "typescript" / "bin" / "tsc"), "-p", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
