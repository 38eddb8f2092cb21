"""A ``fetch`` without ``client.js``: the page that its 401 names makes the call; a program with a token repeats it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ..examples.serving import UVICORN, copy_example, enrolled, served
from .chromium import person

pytestmark = pytest.mark.slow

PROVED = ["trigger/required", "challenge/issued", "outcome/approved", "access/allowed", "result/completed"]
CALL = """async headers => {
  const body = JSON.stringify({ to: "bob", amount: 20 });
  headers = { "Content-Type": "application/json", ...headers };
  const answer = await fetch("/payments", { method: "POST", body, headers });
  return { status: answer.status, ...await answer.json() };
}"""


def test_the_page_of_a_401_makes_the_call(browser: Browser, tmp_path: Path) -> None:
    example = enrolled(copy_example("spa_payments", tmp_path / "app"))
    settings = example.folder / "stepup.toml"
    settings.write_text(settings.read_text().replace('name = "pay"', 'name = "pay"\nshow = ["to", "amount"]'))
    with served(example, UVICORN) as app, person(browser, app.url) as alice:
        page = alice.page
        page.goto("/")
        page.get_by_role("button", name="Sign in").click()
        asked = page.evaluate(CALL, {})
        assert (asked["status"], asked["type"]) == (401, "urn:stepup:challenge-required")
        page.goto(asked["page_url"])
        for said in ("POST /payments", "bob", "20"):
            expect(page.locator("main")).to_contain_text(said)
        page.get_by_label("Code from your authenticator app").fill(example.code())
        page.get_by_role("button", name="Confirm and send: pay").click()
        expect(page.locator("body")).to_contain_text('"amount":20')
        page.goto("/")
        expect(page.locator("li")).to_have_text(["20 to bob"])
        assert alice.complaints == []
    assert example.story() == PROVED


def test_a_program_with_a_token_in_fastapi(browser: Browser, tmp_path: Path) -> None:
    example = enrolled(copy_example("fastapi_payments", tmp_path / "app"))
    token = {"Authorization": "Bearer token-of-alice"}
    with served(example, UVICORN) as app, person(browser, app.url) as alice:
        page = alice.page
        page.goto("/payments")
        asked = page.evaluate(CALL, token)
        assert asked["status"] == 401
        verified = page.evaluate(
            """async ([url, code, headers]) => (await fetch(url, { method: "POST", body: JSON.stringify({ code }),
              headers: { "Content-Type": "application/json", ...headers } })).json()""",
            [asked["verify_url"], example.code(), token],
        )
        assert verified["status"] == "approved"
        assert page.evaluate(CALL, token)["status"] == 201
        assert page.evaluate(CALL, token)["status"] == 401  # one code, one payment
    assert example.story() == [*PROVED, *PROVED[:2]]
