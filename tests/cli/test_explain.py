"""``explain`` and the live gate say the same, rule by rule; and explaining leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from stepup_mw.asgi import StepUpMiddleware
from stepup_mw.cli.forecast import find_nearest
from stepup_mw.policy import Rule
from tests.origin.databases import LONDON, NESTED, write_database

from .conftest import CONFIG, Run, write_service

MORE = """
[[routes]]
name = "watch"
path = "/watch"
risk = 95
mode = "report"

[[routes]]
name = "close"
path = "/close"
risk = 95

[[routes]]
name = "always"
path = "/always"
challenge = "always"
grant = "request"

[risk.signals]
new_device = 20
new_network = 15
recent_failures = 10
night = { points = 30, call = "own_signals:risky" }
off_hours = { points = 5, hours = "00:00-23:59", timezone = "UTC" }
"""

TRAIL = Path("audit/stepup.jsonl")

STATUS = {"pass": 200, "allow": 200, "challenge": 401, "login": 401, "deny": 403, "not_enrolled": 403, "refuse": 400}


async def show(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


@pytest.fixture
def risky(service: Path) -> Path:
    write_service(service, CONFIG + MORE)
    (service / "own_signals.py").write_text("def risky(subject):\n    return 'risky' in subject.path\n")
    return service


def live(method: str, path: str, user: str | None, ip: str) -> tuple[int, dict[str, Any] | None]:
    """The status, and the risk in the request's own first line."""
    before = TRAIL.read_text().count("\n")
    status = asyncio.run(ask(method, path, {"X-Forwarded-For": ip} | ({"X-Auth-User": user} if user else {})))
    lines = [json.loads(line) for line in TRAIL.read_text().splitlines()[before:]]
    risks = [line["risk"] for line in lines if line["event_type"] == "step_up"]
    return status, risks[0] if risks else None


async def ask(method: str, path: str, headers: dict[str, str]) -> int:
    guarded = StepUpMiddleware(Starlette(routes=[Route("/{rest:path}", show, methods=["GET", "POST"])]))
    transport = httpx2.ASGITransport(app=guarded, client=("127.0.0.1", 1))
    async with httpx2.AsyncClient(transport=transport) as client:
        response = await client.request(method, "http://bank.test" + path, headers=headers)
    await guarded.aclose()
    return response.status_code


@pytest.mark.parametrize("user", [None, "alice", "bob"])
@pytest.mark.parametrize(
    ("method", "path", "decision"),
    [
        ("GET", "/about", "pass"),
        ("GET", "/accounts/1/transfer", "pass"),
        ("POST", "/accounts/1/transfer", "challenge"),
        ("POST", "/accounts/risky/transfer", "deny"),
        ("POST", "/rename", "allow"),
        ("POST", "/rename%2F", None),
        ("POST", "//rename", None),
        ("GET", "/always", "challenge"),
        ("GET", "/close", "deny"),
        ("GET", "/watch", "allow"),
    ],
)
def test_explain_agrees_with_the_live_gate(
    risky: Path, stepup: Run, method: str, path: str, decision: str | None, user: str | None
) -> None:
    assert stepup("enroll alice").code == 0
    words = ["explain", method, path, "--ip", "203.0.113.9", "--json", *(["--user", user] if user else [])]
    told = json.loads(stepup(*words).out)
    status, risk = live(method, path, user, "203.0.113.9")
    assert STATUS[told["decision"]] == status
    assert told["risk"] == risk
    assert told["sensitive"] is (risk is not None)
    if user == "alice" and decision is not None:
        assert told["decision"] == decision


def test_a_known_device_takes_its_points_away(risky: Path, stepup: Run) -> None:
    def points(*words: str) -> dict[str, int]:
        ran = stepup("explain", "POST", "/rename", "--user", "alice", "--json", *words)
        found: dict[str, int] = json.loads(ran.out)["risk"]["signals"]
        return found

    assert stepup("enroll alice").code == 0
    assert points() == {"route": 10, "new_device": 20, "off_hours": 5}
    assert points("--device", "known") == {"route": 10, "off_hours": 5}
    assert points("--device", "h:" + "0" * 32) == points("--device", "some-id") == points("--device", "new")


def test_the_time_is_the_one_asked_for(risky: Path, stepup: Run) -> None:
    def points(at: str) -> dict[str, int]:
        ran = stepup("explain", "POST", "/rename", "--user", "alice", "--device", "known", "--json", "--at", at)
        found: dict[str, int] = json.loads(ran.out)["risk"]["signals"]
        return found

    assert points("2026-11-23T12:00:00Z") == {"route": 10, "off_hours": 5}
    assert points("2026-11-23T23:59:30Z") == {"route": 10}


def test_explaining_changes_nothing(risky: Path, stepup: Run) -> None:
    assert stepup("enroll alice").code == 0
    before = TRAIL.read_bytes()
    first = stepup("explain POST /rename --user alice --json").out
    for _ in range(5):
        assert stepup("explain POST /rename --user alice --json").out == first
    assert TRAIL.read_bytes() == before


def test_report_mode_says_what_would_have_been(risky: Path, stepup: Run) -> None:
    told = json.loads(stepup("explain GET /watch --user alice --json").out)
    assert (told["decision"], told["would"], told["status"]) == ("allow", "deny", None)


RULES = [
    Rule(name="transfer", path="/accounts/{account}/transfer", version="1", methods=frozenset({"POST"})),
    Rule(name="close", path="/accounts/{account}", version="1", methods=frozenset({"DELETE"})),
    Rule(name="files", path="/files/{rest:path}", version="1"),
]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/accounts/42/transfer", "transfer"),
        ("POST", "/accounts/42/transfers", "transfer"),
        ("GET", "/accounts/42", "close"),
        ("GET", "/file/a", "files"),
        ("GET", "/about", None),
    ],
)
def test_the_nearest_rule(method: str, path: str, name: str | None) -> None:
    found = find_nearest(RULES, method, path)
    assert (found.name if found else None) == name
    assert find_nearest([], method, path) is None


def test_where_it_comes_from_and_what_was_compared_with_what(service: Path, stepup: Run) -> None:
    write_database(service / "cities.mmdb", NESTED)
    geo = '[geo]\ndatabase = "cities.mmdb"\n[risk.signals]\nnew_country = 25\nnew_device = 20\nimpossible_travel = 5\n'
    write_service(service, CONFIG + geo)
    words = ["explain", "POST", "/accounts/42/transfer", "--user", "alice", "--ip", LONDON]
    told = json.loads(stepup(*words, "--json").out)
    assert told["geo"] == {"country": "GB", "region": "England", "city": "London", "asn": None}
    assert told["findings"] == {
        "new_country": {"points": 0, "words": "GB: no earlier country of this user to compare with"},
        "new_device": {"points": 20, "words": "the client sent no device cookie of this service"},
        "impossible_travel": {"points": 0, "words": "London, GB: no earlier place of this user to compare with"},
    }
    shown = stepup(*words).out
    assert "  from      203.0.113.9, London, GB\n" in shown
    assert " new_country        GB: no earlier country of this user to compare with\n" in shown
    assert "+20  new_device         the client sent no device cookie of this service\n" in shown


def test_a_score_that_ends_at_100_says_what_the_points_are(service: Path, stepup: Run) -> None:
    write_service(service, CONFIG.replace("risk = 60", "risk = 85") + "[risk.signals]\nnew_device = 20\n")
    shown = stepup("explain POST /accounts/1/transfer --user alice").out
    assert "score     100  a code from 50, refused from 90; the points are 105, and a score ends at 100" in shown
    assert "the points are" not in stepup("explain POST /rename --user alice").out
