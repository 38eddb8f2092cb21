"""Signals that lift a request over the threshold, limits of an address, and a lock that only an operator ends."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from stepup_mw.enrollment import unlock

from .doors import CONFIG, Door, serving
from .steps import problem, verify

SIGNALS = """
[[routes]]
name = "pay"
path = "/pay"
methods = ["POST"]
risk = 40

[[routes]]
name = "never"
path = "/never"
risk = 70
challenge = "never"

[risk.signals]
new_device = 15
burst = { points = 45, limit = 4, window = "1m" }
large = { points = 30, call = "tests.http.witness:large" }
"""

LIFTED = ["trigger/required elevated_risk_score", "challenge/issued elevated_risk_score"]
BELOW = ["access/allowed below_threshold below_threshold", "result/completed below_threshold below_threshold"]


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def wary(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    config = CONFIG.read_text().replace("[challenge]", SIGNALS + "\n[challenge]")
    with serving(request.param, tmp_path_factory.mktemp("wary"), config) as running:
        yield running


def test_a_new_device_is_asked_once(wary: Door, user: str) -> None:
    enrolled = wary.enroll(user)
    with wary.client(user) as client:
        asked = client.post("/pay")
        assert problem(asked) == (401, "challenge-required")
        verify(client, asked.json(), wary.code(enrolled))
        del client.cookies["stepup"]
        assert client.post("/pay").json()["stepup"]["basis"] == "below_threshold"
    assert wary.story(user) == [*LIFTED, "outcome/approved elevated_risk_score", *BELOW]
    risks = [line["risk"] for line in wary.lines(user) if line["event_type"] == "step_up"]
    assert (risks[0]["score"], risks[0]["signals"]) == (55, {"route": 40, "new_device": 15})
    assert (risks[-1]["score"], risks[-1]["signals"]) == (40, {"route": 40})


@pytest.mark.parametrize(
    ("body", "points"),
    [(b"5000", {"large": 30}), (b"odd", {"large": 30}), (b"10", {})],
    ids=["large", "raises", "small"],
)
def test_a_signal_of_the_apps_own(wary: Door, user: str, body: bytes, points: dict[str, int]) -> None:
    """One that raises adds its points: doubt never lowers a score. The body reaches the app all the same."""
    enrolled = wary.enroll(user)
    with wary.client(user) as client:
        passed = client.post("/pay", content=body, headers={"Step-Up-Code": wary.code(enrolled)})
    assert (passed.status_code, passed.json()["body"]) == (200, body.decode())
    risk = next(line["risk"] for line in wary.lines(user) if line["phase"] == "trigger")
    assert risk["signals"] == {"route": 40, "new_device": 15, **points}


def test_a_burst_is_denied(wary: Door, user: str) -> None:
    wary.enroll(user)
    with wary.client(user) as client:
        answers = [problem(client.post("/pay")) for _ in range(5)]
    assert answers == [*[(401, "challenge-required")] * 4, (403, "denied")]
    assert wary.story(user) == [*LIFTED * 4, "trigger/denied risk_denied"]


def test_never_is_never_asked(wary: Door, user: str) -> None:
    with wary.client(user) as client:
        assert client.post("/never").status_code == 200
    assert [line.split()[0] for line in wary.story(user)] == ["access/allowed", "result/completed"]


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def strict(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    config = (
        CONFIG.read_text().replace("failures = 5, lock", "failures = 2, lock").replace("ceiling = 100", "ceiling = 4")
    )
    config = config.replace("failures = 10000", "failures = 6")
    with serving(request.param, tmp_path_factory.mktemp("strict"), config) as running:
        yield running


def guess(door: Door, user: str, code: str, address: str) -> tuple[int, str]:
    with door.client(user, **{"Step-Up-Code": code, "X-Forwarded-For": address}) as client:
        return problem(client.post("/totp-only"))


@pytest.mark.slow
def test_an_address_that_guesses_at_many_users(strict: Door, user: str) -> None:
    victims = [strict.enroll(f"{user}-{number}") for number in range(8)]
    answers = [guess(strict, victim.user, strict.wrong(victim), "203.0.113.9") for victim in victims]
    assert answers == [*[(401, "invalid-code")] * 6, (429, "locked"), (429, "locked")]
    with strict.client(victims[7].user, **{"Step-Up-Code": strict.code(victims[7])}) as elsewhere:
        assert elsewhere.post("/totp-only").status_code == 200


def test_past_the_ceiling_only_an_operator_helps(strict: Door, user: str) -> None:
    enrolled = strict.enroll(user)
    for number in range(4):
        assert guess(strict, user, strict.wrong(enrolled), f"198.51.100.{number}") == (401, "invalid-code")
        strict.offset(100 * number)
    strict.offset(10_000_000)
    assert guess(strict, user, strict.code(enrolled), "198.51.100.9") == (429, "locked")
    anyio.run(unlock, strict.assembly.gate.services, user)
    with strict.client(user, **{"Step-Up-Code": strict.code(enrolled)}) as client:
        assert client.post("/totp-only").status_code == 200
    strict.offset(0)
    notices = [f"{line['phase']}" for line in strict.lines(user) if line["event_type"] == "throttle"]
    assert notices == ["locked", "locked", "unlocked"]
