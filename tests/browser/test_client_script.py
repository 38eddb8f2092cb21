"""``client.js`` in a single-page app under a strict policy: the dialog, one for many calls, a no, an abort."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import stepup_mw

from ..examples.serving import UVICORN, Example, Served, copy_example, enrolled, served
from ..npm import npm_folder
from .chromium import Person, in_every_look, person

pytestmark = pytest.mark.slow

CLIENT = Path(stepup_mw.__file__).parent / "client"


@pytest.fixture(scope="module")
def spa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Example, Served]]:
    example = enrolled(copy_example("spa_payments", tmp_path_factory.mktemp("spa") / "app"))
    with served(example, UVICORN) as app:
        yield example, app


@pytest.fixture
def alice(browser: Browser, spa: tuple[Example, Served]) -> Iterator[Person]:
    """At the page, signed in, in a browser of her own; whatever she does breaks no policy."""
    with person(browser, spa[1].url) as somebody:
        somebody.page.goto("/")
        somebody.page.get_by_role("button", name="Sign in").click()
        yield somebody
        assert somebody.complaints == []


def call(somebody: Person, amounts: str) -> None:
    """Make payments at once, and keep what became of them in ``window.made``."""
    somebody.page.evaluate(
        """async amounts => {
          const { wrap } = await import("/_stepup/client.js");
          const fetch = wrap(window.fetch);
          const pay = amount => fetch("/payments", { method: "POST", body: JSON.stringify({ to: "eve", amount }) })
            .then(answer => answer.status, error => error.name);
          window.made = Promise.all(JSON.parse(amounts).map(pay));
        }""",
        amounts,
    )


def made(somebody: Person) -> list[object]:
    return list(somebody.page.evaluate("() => window.made"))


def test_a_call_is_asked_about_and_made_again_once(alice: Person, spa: tuple[Example, Served], pictures: Path) -> None:
    page, dialog = alice.page, alice.page.get_by_role("dialog", name="Confirm it is you")
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(dialog).to_contain_text("POST /payments")
    expect(dialog.get_by_label("Code from your authenticator app")).to_be_focused()
    in_every_look(alice, pictures, "dialog")
    dialog.get_by_label("Code").fill("000000")
    expect(dialog.get_by_role("alert")).to_contain_text("Tries left: 4")
    in_every_look(alice, pictures, "dialog-wrong")
    dialog.get_by_label("Code").fill(spa[0].code())  # the sixth digit sends it
    expect(page.get_by_role("status")).to_have_text("Paid.")
    expect(dialog).to_have_count(0)
    expect(page.locator("li")).to_have_text(["20 to bob"])
    assert spa[0].story()[-6:] == [
        "trigger/required", "challenge/issued", "challenge/rejected", "outcome/approved",
        "access/allowed", "result/completed",
    ]  # fmt: skip


def test_many_calls_in_flight_are_one_dialog(alice: Person, spa: tuple[Example, Served]) -> None:
    call(alice, "[1, 2, 3, 4]")
    dialog = alice.page.get_by_role("dialog")
    expect(dialog).to_have_count(1)
    dialog.get_by_label("Code").fill(spa[0].code(steps=1))
    assert made(alice) == [201] * 4
    assert alice.page.locator("dialog").count() == 0
    assert spa[0].story().count("access/allowed") == 5


def test_a_no_is_an_error_with_a_name_for_every_call_that_waited(alice: Person, spa: tuple[Example, Served]) -> None:
    call(alice, "[1, 2]")
    expect(alice.page.get_by_role("dialog")).to_have_count(1)
    alice.page.keyboard.press("Escape")
    assert made(alice) == ["StepUpCancelled"] * 2
    expect(alice.page.get_by_role("dialog")).to_have_count(0)
    alice.page.get_by_role("button", name="Pay", exact=True).click()
    alice.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(alice.page.get_by_role("status")).to_have_text("Not paid: you did not confirm.")
    expect(alice.page.get_by_role("button", name="Pay", exact=True)).to_be_visible()
    assert "outcome/denied" in spa[0].story()


def test_an_aborted_call_takes_its_dialog_along(alice: Person) -> None:
    name = alice.page.evaluate(
        """async () => {
          const { wrap } = await import("/_stepup/client.js");
          const stop = new AbortController();
          const call = wrap(window.fetch)("/payments", { method: "POST", body: "{}", signal: stop.signal });
          while (!document.querySelector("dialog")) await new Promise(done => setTimeout(done, 20));
          stop.abort();
          return [await call.catch(error => error.name), document.querySelectorAll("dialog").length];
        }"""
    )
    assert name == ["AbortError", 0]


def test_a_recovery_code_will_do(alice: Person, spa: tuple[Example, Served]) -> None:
    call(alice, "[7]")
    dialog = alice.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Use a recovery code").click()
    dialog.get_by_label("Recovery code").fill(spa[0].recovery_codes[0])
    dialog.get_by_role("button", name="Confirm").click()
    assert made(alice) == [201]


def test_it_tells_how_fresh_i_am(alice: Person) -> None:
    asked = 'async () => (await import("/_stepup/client.js")).status("POST", "/payments")'
    told = alice.page.evaluate(asked)
    assert (told["sensitive"], told["proof_required"], told["max_age"]) == (True, True, 120)


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
