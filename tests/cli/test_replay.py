"""A trail under another policy: the same policy says what was, another who would have been asked; what cannot be known
is counted both ways."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pyotp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from stepup_mw.asgi import StepUpMiddleware
from stepup_mw.cli.acts import Act, read_acts, root_of
from stepup_mw.cli.replaying import Replay, Tally
from stepup_mw.config import load_config
from tests.core.samples import KEY, mapping

from .conftest import CONFIG, Run, write_service

ROUTE = {"name": "pay", "path": "/pay/{id}", "methods": ["POST"], "risk": 40}


def line(minute: float, phase: str = "trigger", status: str = "required", **changes: Any) -> dict[str, Any]:
    """One ``step_up`` line, a minute of an evening."""
    hour, rest = divmod(int(minute), 60)
    whole = {
        "timestamp": f"2026-11-23T{20 + hour:02}:{rest:02}:00.000000Z",
        "event_type": "step_up",
        "phase": phase,
        "status": status,
        "user_id": changes.get("user", "alice"),
        "session_id": "h:1",
        "flow_id": changes.get("flow", f"flow-{minute}"),
        "action": {"route": "pay", "method": "POST", "template": "/pay/{id}", "path": changes.get("path", "/pay/1")},
        "origin": {"ip": changes.get("ip", "203.0.113.9"), "ip_doubt": None, "device_id": "h:d", "device_known": True},
        "risk": {"score": 0, "signals": {"route": 40, **changes.get("signals", {})}},
        "proof": {"basis": changes["basis"]} if "basis" in changes else None,
        "policy": {"version": "sha256:old"},
    }
    for name, value in changes.items():
        if name in ("origin", "risk", "action"):
            whole[name] |= value
    return whole


def passed(minute: float, **changes: Any) -> dict[str, Any]:
    return line(minute, "access", "allowed", **{"basis": "below_threshold", **changes})


def measured(*signals: str) -> dict[str, Any]:
    return {"event_type": "config", "phase": "loaded", "detail": {"policy": "sha256:old", "signals": list(signals)}}


def tally(lines: list[dict[str, Any]], **changes: Any) -> Tally:
    settings = load_config(mapping(**{"routes": [ROUTE], **changes}), {"STEPUP_SECRET_KEY": KEY}).settings
    replay = Replay(settings)
    for act in read_acts(lines):
        replay.take(act)
    return replay.tally


def signals(**points: Any) -> dict[str, Any]:
    return {"risk": {"signals": points}}


def asked(lines: list[dict[str, Any]], **changes: Any) -> tuple[int, int, int]:
    """Asked then, asked now, and at most."""
    total = tally(lines, **changes).total
    return total.asked_then, total.asked, total.most


def test_a_request_and_its_repetition_after_the_proof_are_one() -> None:
    lines = [
        line(0, flow="f"),
        line(0, "challenge", "issued", flow="f"),
        line(1, "outcome", "approved", flow="f"),
        passed(1, flow="f", basis="grant"),
        line(1, "result", "completed", flow="f"),
        passed(2, flow="f", basis="grant"),
        line(3, flow="g"),
        passed(4, flow="h", basis="resume"),
        line(5, "access", "refused"),
        line(6, "trigger", "anonymous", user=None),
        line(7, "trigger", "denied"),
        line(8, "trigger", "not_enrolled"),
        {"event_type": "audit", "phase": "start"},
        {"event_type": "step_up", "phase": "trigger", "status": "required", "timestamp": "yesterday"},
        {},
    ]
    assert [(act.at % 86_400 // 60 - 1200, act.then) for act in read_acts(lines)] == [
        (0, "asked"), (2, "passed"), (3, "asked"), (6, "login"), (7, "denied"), (8, "asked"),
    ]  # fmt: skip


def test_new_points_for_what_was_found_then() -> None:
    lines = [measured("burst"), passed(0, signals={"burst": 5}), passed(90)]
    assert asked(lines, **signals(burst=9)) == (0, 0, 0)
    assert asked(lines, **signals(burst=10)) == (0, 1, 1)
    found = tally(lines, **signals(burst=60))
    assert (found.total.denied, found.total.denied_then, found.routes["pay"].denied) == (1, 0, 1)


def test_what_was_not_measured_is_counted_both_ways() -> None:
    lines = [measured("burst"), passed(0), passed(90)]
    found = tally(lines, **signals(burst=5, recent_failures=10))
    assert (found.total.asked, found.total.most, found.unmeasured) == (0, 2, {"recent_failures": 2})
    assert asked(lines[1:], **signals(recent_failures=10)) == (0, 0, 0)


def test_a_signal_that_failed_then_fails_again() -> None:
    lines = [measured("burst"), passed(0, risk={"failed": ["burst"], "signals": {"route": 40, "burst": 5}})]
    assert asked(lines, **signals(burst={"points": 5, "on_failure": 10})) == (0, 1, 1)
    assert asked(lines, **signals(burst={"points": 20, "on_failure": 0})) == (0, 0, 0)


def test_what_the_line_shows_is_judged_anew(tmp_path: Path) -> None:
    lines = [measured(), passed(0), passed(150), passed(151, origin={"device_known": False, "ip": "198.51.100.7"})]
    hours = {"points": 10, "hours": "22:00-06:00"}
    assert asked(lines, **signals(off_hours=hours)) == (0, 1, 1)
    assert asked(lines, **signals(new_device=10)) == (0, 1, 1)
    assert tally(lines, **signals(new_device=10, off_hours=hours)).unmeasured == {}


def test_an_address_is_looked_up_where_the_line_has_all_of_it(service: Path, stepup: Run) -> None:
    (service / "tor.txt").write_text("203.0.113.0/24\n")
    config = CONFIG + '[risk.signals]\naddress_list = { points = 40, files = ["tor.txt"] }\n'
    write_service(service, config)
    whole = passed(0, action={"path": "/rename"})
    cut = passed(60, action={"path": "/rename"}, origin={"ip": "203.0.113.0", "ip_prefix": 24})
    doubt = passed(120, action={"path": "/rename"}, origin={"ip_doubt": {"why": "disagreement"}})
    lines = [measured("burst"), whole, cut, doubt]
    numbered = [{"prev": "A" * 43 + "=", "seq": seq, **one} for seq, one in enumerate(lines)]
    (service / "old.jsonl").write_text("".join(json.dumps(one, separators=(",", ":")) + "\n" for one in numbered))
    told = json.loads(stepup("replay stepup.toml old.jsonl --json").out)
    assert told["total"] | {"requests": 3, "asked": 1, "most": 3} == told["total"]
    assert told["unmeasured"] == {"address_list": 2}


def test_a_proof_lasts_as_the_policy_says() -> None:
    lines = [passed(minute) for minute in (0, 4, 5, 9, 20)] + [passed(21, user="bob")]

    def pay(**changes: Any) -> int:
        return asked(lines, routes=[{**ROUTE, "risk": 60, **changes}])[1]

    assert pay() == 4
    assert pay(max_age="10m") == 3
    assert pay(max_age="1h") == 2
    assert pay(grant="request") == 6
    assert pay(challenge="never") == 0
    assert pay(mode="report") == 0


def test_a_proof_of_the_service_opens_other_rules() -> None:
    lines = [passed(0), passed(1, path="/close"), passed(2)]
    close = {"name": "close", "path": "/close", "risk": 60}

    def both(grant: str) -> int:
        return asked(lines, routes=[{**ROUTE, "risk": 60, "grant": grant}, {**close, "grant": grant}])[1]

    assert (both("service"), both("route"), both("request")) == (1, 2, 3)


def test_rules_are_matched_on_what_was_asked() -> None:
    lines = [passed(0), passed(1, path="/pay//2"), passed(2, path="/other"), passed(3, path="/bank/pay/7")]
    found = tally(lines, routes=[{"name": "any", "path": "/pay/{id}", "risk": 60, "grant": "request"}])
    assert {name: count.requests for name, count in found.routes.items()} == {"any": 3, "(untouched) pay": 1}
    assert (found.routes["any"].asked, found.untouched) == (3, 1)


@pytest.mark.parametrize(
    ("path", "template", "root"),
    [
        ("/pay/1", "/pay/{id}", ""),
        ("/bank/pay/1", "/pay/{id}", "/bank"),
        ("/a/b/pay/1", "/pay/{id}", "/a/b"),
        ("/other", "/pay/{id}", ""),
        ("/x", None, ""),
        ("", "/pay/{id}", ""),
    ],
)
def test_the_rule_of_that_day_tells_where_the_app_was_mounted(path: str, template: str | None, root: str) -> None:
    assert root_of("POST", path, template) == root


def test_below_a_mount_the_rules_are_matched_below_it() -> None:
    lines = [passed(0, path="/bank/pay/7", action={"template": "/pay/{id}"})]
    assert tally(lines, routes=[{**ROUTE, "risk": 60}]).routes["pay"].asked == 1


def test_a_token_that_was_a_proof_is_one_where_the_rule_takes_tokens() -> None:
    act = next(read_acts([passed(0, basis="token")]))
    assert act.by_token
    assert asked([passed(0, basis="token")], routes=[{**ROUTE, "risk": 60}])[1] == 1


async def show(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


@pytest.fixture
def lived(service: Path, stepup: Run) -> Path:
    """An evening of two users, with a wrong turn, a proof, what it opened, and a rotation in between."""
    write_service(service, CONFIG + "[risk.signals]\nnew_device = 20\n")
    secret = json.loads(stepup("enroll alice --json").out)["secret"]

    async def evening() -> None:
        guarded = StepUpMiddleware(Starlette(routes=[Route("/{rest:path}", show, methods=["POST"])]))
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=guarded, client=("127.0.0.1", 1)), base_url="http://bank.test"
        ) as client:
            alice, bob = {"X-Auth-User": "alice"}, {"X-Auth-User": "bob"}
            challenge = (await client.post("/accounts/1/transfer", headers=alice)).json()
            code = {"code": pyotp.TOTP(secret).now()}
            assert (await client.post(challenge["verify_url"], json=code, headers=alice)).status_code == 200
            for account in (1, 2):
                assert (await client.post(f"/accounts/{account}/transfer", headers=alice)).status_code == 200
            await asyncio.to_thread(stepup, "audit rotate")
            assert (await client.post("/rename", headers=alice)).status_code == 200
            assert (await client.post("/rename", headers=bob)).status_code == 200
            assert (await client.post("/accounts/3/transfer")).status_code == 401
        await guarded.aclose()

    asyncio.run(evening())
    return service


def test_the_same_policy_says_what_was(lived: Path, stepup: Run) -> None:
    assert list((lived / "audit" / "segments").iterdir())
    told = json.loads(stepup("replay stepup.toml audit --json").out)
    count = {"requests": 5, "asked_then": 1, "asked": 1, "most": 1, "denied_then": 0, "denied": 0}
    assert told["total"] == count
    assert told["users"][""]["requests"] == told["users"]["bob"]["requests"] == 1
    assert (told["unmeasured"], told["untouched"], told["refused"]) == ({}, 0, 0)


def test_another_policy_by_route_and_by_user(lived: Path, stepup: Run) -> None:
    draft = CONFIG.replace("risk = 10", "risk = 35") + "[risk.signals]\nnew_device = 20\nrecent_failures = 15\n"
    (lived / "draft.toml").write_text(draft.replace('secret_key_file = "stepup.secret"\n', ""))
    told = json.loads(stepup("replay draft.toml audit/stepup.jsonl --json").out)
    assert (
        told["routes"]["rename"] | {"requests": 2, "asked_then": 0, "asked": 1, "most": 2} == told["routes"]["rename"]
    )
    assert told["users"]["bob"]["asked"] == 1
    assert told["unmeasured"] == {"recent_failures": 4}
    shown = stepup("replay draft.toml audit").out.split("\n")
    assert shown[0].startswith("draft.toml on 5 sensitive requests of 2 users and of nobody, 20")
    assert shown[2].split() == [
        "route",
        "requests",
        "asked",
        "then",
        "asked",
        "denied",
        "then",
        "denied",
        "either,",
        "at",
        "most",
    ]
    assert next(row for row in shown if row.startswith("rename")).split() == ["rename", "2", "0", "1", "0", "0", "2"]
    assert any("not measured then: recent_failures (4 requests)" in row for row in shown)
    assert any("as they were found then, with this policy's points: recent_failures" in row for row in shown)


def test_lines_that_are_none_are_left_out_and_said(lived: Path, stepup: Run) -> None:
    with (lived / "audit" / "stepup.jsonl").open("ab") as live:
        live.write(b'{"broken\n' + b"garbage\n")
    assert json.loads(stepup("replay stepup.toml audit --json").out)["unreadable"] == 2
    shown = stepup("replay stepup.toml audit").out
    assert "lines left out because they are no audit lines: 2; `stepup verify` says more" in shown


def test_only_of_a_time(lived: Path, stepup: Run) -> None:
    assert stepup("replay stepup.toml audit --since 2099-01-01T00:00:00Z").code == 1
    assert (
        stepup("replay stepup.toml audit --until 2020-01-01T00:00:00Z").err
        == "no sensitive request stands in the trail\n"
    )
    assert json.loads(stepup("replay stepup.toml audit --since 1h --json").out)["total"]["requests"] == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("replay stepup.toml nowhere", "nowhere"),
        ("replay nothing.toml audit", "nothing.toml: there is no such file"),
        ("replay stepup.secret audit", "stepup.secret"),
        ("replay stepup.toml", "missing argument 'TRAIL'"),
    ],
)
def test_what_cannot_be_read_is_said(service: Path, stepup: Run, words: str, said: str) -> None:
    ran = stepup(words)
    assert ran.code == 2
    assert said in ran.err


def test_an_act_is_a_value() -> None:
    (act,) = read_acts([passed(0)])
    assert isinstance(act, Act)
    assert act.holder == ("alice", "h:1", "h:d")
