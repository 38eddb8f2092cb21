"""Rotation from the shell: nobody is signed out, no secret is lost, and each step says what the next one is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from stepup_mw import recovery
from stepup_mw.compose import Assembly, assemble
from stepup_mw.gate.codes import judge_code
from stepup_mw.state import Grant
from stepup_mw.testing.records import put_grant
from stepup_mw.totp import format_code, time_step

from .conftest import CONFIG, SECRET, Run

ENV = "STEPUP_SECRET_KEY"


def enroll(stepup: Run, user: str, **env: str) -> dict[str, Any]:
    ran = stepup("enroll", user, "--json", env=env)
    assert ran.code == 0, ran.err
    return dict(json.loads(ran.out))


def judged(assembly: Assembly, user: str, code: str) -> str:
    services = assembly.gate.services
    found = judge_code(services, user, code, allowed=("totp", "recovery_code"), now=services.clock())
    return asyncio.run(found).verdict


def code_of(enrolled: dict[str, Any], assembly: Assembly) -> str:
    return format_code(enrolled["secret"], time_step(assembly.gate.services.clock()))


def held(assembly: Assembly, user: str) -> str:
    """A grant as a passed challenge would leave it; its token."""
    services = assembly.gate.services
    now = services.clock()

    async def put() -> None:
        grant = Grant(
            grant_id="g1", user=user, session=services.keyring.digest("session", "s1"), browser="", service="bank",
            scope="route", rule="transfer", rule_version="v", binding="", method="totp", flow_id="f", challenge_id="c",
            proved_at=now, expires_at=now + 300, epoch=await services.store.epoch(user),
        )  # fmt: skip
        assert await put_grant(services.store, grant)

    asyncio.run(put())
    return services.keyring.sign("grant", "g1")


def test_a_whole_rotation_with_a_key_file(service: Path, stepup: Run) -> None:
    enrolled = enroll(stepup, "alice")
    running = assemble(service / "stepup.toml")
    token, session = held(running, "alice"), running.gate.services.keyring.digest("session", "s1")

    rotated = json.loads(stepup("keys rotate --json").out)
    assert (rotated["added"], rotated["resealed"], len(rotated["keys"])) == (True, 1, 2)
    assert (rotated["append"], rotated["prepend"]) == (None, None)

    # the process that was running all the time
    assert judged(running, "alice", code_of(enrolled, running)) == "right"
    keyring = running.gate.services.keyring
    assert keyring.key_ids == tuple(rotated["keys"])
    assert keyring.unsign("grant", token) == "g1"
    assert asyncio.run(running.store.grant("g1")) is not None

    # withdraw the first key: what it signed is void, what is digested or sealed is not
    lines = (service / "stepup.secret").read_text().splitlines()
    assert lines[1] == SECRET
    (service / "stepup.secret").write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    after = assemble(service / "stepup.toml")
    services = after.gate.services
    assert services.keyring.key_ids == (rotated["keys"][1],)
    assert services.keyring.digest("session", "s1") == session
    assert judged(after, "alice", enrolled["recovery_codes"][0]) == "right"
    assert stepup("code", "alice").code == 0
    assert running.gate.services.keyring.refresh() is True
    for assembly in (running, after):
        with pytest.raises(Exception, match="signature"):
            assembly.gate.services.keyring.unsign("grant", token)
        asyncio.run(assembly.aclose())
    assert stepup("keys status").code == 0


def test_a_rotation_with_the_environment_in_two_runs(service: Path, stepup: Run) -> None:
    (service / "stepup.toml").write_text(CONFIG.replace('secret_key_file = "stepup.secret"\n', ""))
    enrolled = enroll(stepup, "alice", **{ENV: SECRET})
    asked = json.loads(stepup("keys rotate --json", env={ENV: SECRET}).out)
    assert (asked["added"], asked["resealed"]) == (False, 0)
    value = f"{asked['prepend']},{SECRET},{asked['append']}"
    status = json.loads(stepup("keys status --json", env={ENV: value}).out)
    assert [entry["secrets"] for entry in status["keys"]] == [1, 0]
    done = json.loads(stepup("keys rotate --json", env={ENV: value}).out)
    assert (done["added"], done["resealed"], done["append"]) == (False, 1, None)
    again = json.loads(stepup("keys rotate --json", env={ENV: value}).out)
    assert again["append"]
    assert again["prepend"] is None
    final = f"{asked['prepend']},{asked['append']}"
    assert stepup("keys status", env={ENV: final}).code == 0
    code = recovery.parse_code(enrolled["recovery_codes"][0])
    assert code is not None
    assert stepup("code", "alice", env={ENV: final}).code == 0


def test_a_key_withdrawn_too_early_is_named_with_its_users(service: Path, stepup: Run) -> None:
    enroll(stepup, "alice")
    (service / "stepup.secret").write_text("uK3vY9wQ2rT7xB5nM8pL4sD6fG1hJ0zC+/aEiOqWUyk=\n")
    ran = stepup("keys status")
    assert ran.code == 1
    assert "alice" in ran.out
    report = json.loads(stepup("keys status --json").out)
    assert [entry["user"] for entry in report["lost"]] == ["alice"]
    assert stepup("keys rotate").code == 1
    assert len(json.loads(stepup("keys status --json").out)["keys"]) == 2


def test_what_a_person_reads_and_never_a_key(service: Path, stepup: Run) -> None:
    enroll(stepup, "alice")
    before = stepup("keys status")
    assert "signs and seals" in before.out
    rotated = stepup("keys rotate")
    assert "a new key" in rotated.out
    assert "1 secrets sealed" in rotated.out
    after = stepup("keys status")
    assert "may be withdrawn 5m after" in after.out
    new = (service / "stepup.secret").read_text().splitlines()
    for key in (SECRET, new[0], new[-1]):
        assert not any(key in ran.out + ran.err for ran in (before, rotated, after))
    by_hand = (service / "stepup.secret").read_text().splitlines()[1:]
    (service / "stepup.secret").write_text("\n".join(by_hand) + "\n")
    assert "do not withdraw it" in stepup("keys status").out
    lines = [json.loads(line) for line in (service / "audit" / "stepup.jsonl").read_text().splitlines()]
    (line,) = [line for line in lines if line["phase"] == "keys_rotated"]
    assert line["detail"]["resealed"] == 1


def test_a_key_file_that_cannot_be_written_changes_nothing(service: Path, stepup: Run) -> None:
    enroll(stepup, "alice")
    before = (service / "stepup.secret").read_text()
    keep = service / "keep"
    keep.mkdir()
    (service / "stepup.secret").rename(keep / "stepup.secret")
    (service / "stepup.secret").symlink_to("/proc/self/environ")
    assert stepup("keys rotate").code == 2
    (service / "stepup.secret").unlink()
    (keep / "stepup.secret").rename(service / "stepup.secret")
    assert (service / "stepup.secret").read_text() == before
