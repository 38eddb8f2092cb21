"""Code of the app asks for a proof, through every framework: asked once, and the request runs once, after the proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .apps import APPS
from .site import SECRET, Site, verify

ASKED = ["trigger/required app_required", "challenge/issued app_required"]
PROVED = [*ASKED, "outcome/approved app_required"]
REASON = "amount over 10k"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)


@pytest.fixture
def runs() -> list[str]:
    return []


@pytest.fixture(params=APPS)
def site(request: pytest.FixtureRequest, tmp_path: Path, runs: list[str]) -> Iterator[Site]:
    door, make = APPS[request.param]
    made = Site(tmp_path, make(runs), door, lenient=request.param == "wsgi_generator")
    yield made
    made.close()


def test_a_route_without_a_rule_is_untouched_until_it_asks(site: Site, runs: list[str]) -> None:
    authenticator = site.enroll()
    client = site.client()
    assert client.post("/pay?amount=5").text == "paid"
    assert site.story() == []
    asked = client.post("/pay?amount=20000")
    assert (asked.status_code, asked.json()["type"]) == (401, "urn:stepup:challenge-required")
    assert asked.headers["www-authenticate"] == 'StepUp realm="bank", max_age="60"'
    assert (asked.json()["reason"], asked.json()["action"]) == (REASON, {"amount": 20000})
    assert site.story() == ASKED
    assert verify(client, asked, site.code(authenticator)).status_code == 200
    assert client.post("/pay?amount=20000").text == "paid"
    assert runs == ["began", "paid", "began", "began", "paid"]
    assert site.story() == [*PROVED, "access/allowed app_required grant", "result/completed app_required grant"]
    lines = site.lines()
    assert {line["flow_id"] for line in lines} == {asked.json()["flow_id"]}
    assert all(line["action"]["reason"] == REASON and line["action"]["fields"] == {"amount": 20000} for line in lines)
    assert lines[-1]["http"]["status"] == 200
    assert lines[-2]["request_id"] != lines[0]["request_id"]


def test_a_code_that_comes_with_the_request_is_taken(site: Site, runs: list[str]) -> None:
    code = site.code(site.enroll())
    assert site.client(step_up_code=code).post("/pay?amount=20000").text == "paid"
    assert runs == ["began", "paid"]
    assert site.story() == [*PROVED, "access/allowed app_required inline", "result/completed app_required inline"]


def test_on_a_route_with_a_rule_the_line_of_the_door_stays_the_only_access(site: Site, runs: list[str]) -> None:
    """A request below the threshold has its line when the app asks; the answer to it is that run's result."""
    authenticator = site.enroll()
    client = site.client()
    asked = client.post("/rename?amount=20000")
    assert asked.status_code == 401
    begun = [
        "access/allowed below_threshold below_threshold",
        *ASKED,
        "result/completed below_threshold below_threshold",
    ]
    assert site.story() == begun
    lines = site.lines()
    assert {line["request_id"] for line in lines} == {lines[0]["request_id"]}
    assert lines[-1]["http"]["status"] == 401
    assert verify(client, asked, site.code(authenticator)).status_code == 200
    assert client.post("/rename?amount=20000").text == "paid"
    after = ["outcome/approved app_required", begun[0], "grant/accepted grant", begun[-1]]
    assert site.story() == [*begun, *after]
    accepted = site.lines()[-2]["detail"]
    assert (accepted["reason"], accepted["fields"]) == (REASON, {"amount": 20000})
    assert accepted["flow_id"] == asked.json()["flow_id"]
    assert runs == ["began", "began", "paid"]


def test_a_proof_given_at_the_door_is_enough_while_it_is_fresh(site: Site, runs: list[str]) -> None:
    authenticator = site.enroll()
    client = site.client()
    verify(client, client.post("/transfer?amount=20000"), site.code(authenticator))
    assert runs == []
    assert client.post("/transfer?amount=20000").text == "paid"
    assert site.story()[-3:] == [
        "access/allowed route_policy grant",
        "grant/accepted grant",
        "result/completed route_policy grant",
    ]
    site.skew = 90  # the rule takes a proof of five minutes, the app one of sixty seconds
    assert client.post("/transfer?amount=5").text == "paid"
    asked = client.post("/transfer?amount=20000")
    assert (asked.status_code, asked.json()["max_age"]) == (401, 60)
    verify(client, asked, site.code(authenticator))
    assert client.post("/transfer?amount=20000").text == "paid"
    assert runs == ["began", "paid", "began", "paid", "began", "began", "paid"]


def test_nobody_and_nothing_enrolled_are_refused_as_at_the_door(site: Site, runs: list[str]) -> None:
    nobody = site.client(None).post("/pay?amount=20000")
    assert (nobody.status_code, nobody.json()["type"]) == (401, "urn:stepup:login-required")
    bare = site.client("bob").post("/pay?amount=20000")
    assert (bare.status_code, bare.json()["type"]) == (403, "urn:stepup:not-enrolled")
    assert runs == ["began", "began"]
    assert site.story() == ["trigger/anonymous app_required", "trigger/not_enrolled app_required"]
