"""``stepup grants`` and ``stepup revoke``: what a user holds, and an end to it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from stepup_mw.compose import assemble

from .conftest import Run
from .test_keys import enroll, held


def test_grants_are_listed_and_revoked(service: Path, stepup: Run) -> None:
    enroll(stepup, "alice")
    assert stepup("grants alice").code == 1
    running = assemble(service / "stepup.toml")
    held(running, "alice")
    shown = stepup("grants alice")
    assert shown.code == 0
    assert "transfer" in shown.out
    (grant,) = json.loads(stepup("grants alice --json").out)["grants"]
    assert (grant["id"], grant["scope"], grant["route"], grant["method"]) == ("g1", "route", "transfer", "totp")
    assert stepup("grants bob").code == 1

    revoked = stepup("revoke alice --grants --json")
    assert json.loads(revoked.out) == {"user": "alice", "revoked": 0, "grants": 1}
    assert asyncio.run(running.store.grant("g1")) is None
    assert stepup("revoke alice --grants").code == 1
    assert stepup("code alice").code == 0

    held(running, "alice")
    whole = stepup("revoke alice --json")
    assert json.loads(whole.out) == {"user": "alice", "revoked": 1, "grants": 1}
    assert asyncio.run(running.store.grant("g1")) is None
    lines = [json.loads(line) for line in (service / "audit" / "stepup.jsonl").read_text().splitlines()]
    found = [line["detail"] for line in lines if line["event_type"] == "grant"]
    assert found == [{"by": "operator", "grants": 1, "all": True}] * 2
    asyncio.run(running.aclose())


def test_a_user_without_an_authenticator_may_hold_grants(service: Path, stepup: Run) -> None:
    running = assemble(service / "stepup.toml")
    held(running, "carol")
    assert "holds no grant any more" in stepup("revoke carol").out
    assert asyncio.run(running.store.grant("g1")) is None
    assert stepup("revoke carol").code == 1
    asyncio.run(running.aclose())
