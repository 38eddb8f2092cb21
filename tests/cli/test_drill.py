"""``stepup drill trail``: two lines in the service's trail, a report whose hash is in one, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.drill.catalogue import NAMES
from stepup_mw.trail import read_lines

from ..drill.parts import SIGNED, configure, write_lines
from .conftest import CONFIG, Run

ONLY = "--only tamper-rollback --only apart"


@pytest.fixture
def drilled(folder: Path) -> Path:
    """A service with a signed trail of a few lines."""
    write_lines(configure(folder), "a", "b", "c")
    return folder


def drill_lines(folder: Path) -> list[dict[str, Any]]:
    lines = [dict(line.event) for line in read_lines(folder / "audit")]
    return [line for line in lines if line["event_type"] == "drill"]


def test_a_drill_is_on_record_with_the_hash_of_its_report(drilled: Path, stepup: Run) -> None:
    ran = stepup(f"drill trail {ONLY} --quick --report out.md --seed 7 --json")
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert (told["verdict"], told["broken"], told["seed"], told["report"]) == ("held", 0, 7, "out.md")
    assert [item["name"] for item in told["scenarios"]] == ["tamper-rollback", "apart"]
    begun, ended = drill_lines(drilled)
    assert (begun["phase"], ended["phase"]) == ("begun", "ended")
    assert begun["service"] == "bank"
    assert begun["detail"] == {"drill": told["drill"], "kind": "trail", "scenarios": 2, "seed": 7}
    assert ended["detail"] == {
        "drill": told["drill"],
        "kind": "trail",
        "verdict": "held",
        "cases": told["cases"],
        "broken": 0,
        "not_run": 0,
        "report": "out.md",
        "sha256": told["sha256"],
    }
    report = drilled / "out.md"
    assert hashlib.sha256(report.read_bytes()).hexdigest() == told["sha256"]
    assert report.stat().st_mode & 0o777 == 0o600
    assert told["drill"] in report.read_text()
    assert stepup("verify").code == 0


def test_what_is_shown_to_a_person(drilled: Path, stepup: Run) -> None:
    ran = stepup(f"drill trail {ONLY} --report out.md")
    assert ran.code == 0
    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert lines[0].startswith("drill of the trail of bank")
    assert any(line.startswith("  ✓ the whole folder set back to how it was earlier") for line in lines)
    assert "✓ HELD  5 cases in 2 scenarios, all of them held" in lines
    assert ran.err == ""
    rows = stepup("tail --type drill").out.splitlines()
    assert [row.split()[3:5] for row in rows] == [["drill", "begun"], ["drill", "ended"]]


def test_nothing_is_left_behind_unless_it_is_asked_for(drilled: Path, stepup: Run) -> None:
    before = {path.name for path in drilled.iterdir()}
    assert stepup(f"drill trail {ONLY} --report out.md").code == 0
    assert {path.name for path in drilled.iterdir()} == before | {"out.md"}
    kept = stepup(f"drill trail {ONLY} --report kept.md --keep")
    (scratch,) = [path for path in drilled.iterdir() if path.name.startswith(".stepup-drill-")]
    assert str(scratch) in kept.out
    assert scratch.stat().st_mode & 0o777 == 0o700
    evidence = stepup(f"verify {scratch}/apart/audit --key stepup-audit.key-of-the-service --config stepup.toml")
    assert evidence.code == 5, "no such key"
    assert stepup(f"verify {scratch}/apart/audit").code == 2, "the service's key does not fit it"


def test_what_does_not_hold_is_exit_1_and_stands_in_the_report(folder: Path, stepup: Run) -> None:
    configure(folder, CONFIG)
    ran = stepup("drill trail --only tamper-chain --only tamper-notes --report out.md")
    assert ran.code == 1
    assert "✗ DID NOT HOLD" in ran.out
    assert "not run: without audit.signing_key_file" in ran.out
    assert "… and" in ran.out
    assert "DID NOT HOLD" in (folder / "out.md").read_text()
    assert drill_lines(folder)[1]["detail"]["verdict"] == "broke"


def test_a_drill_in_which_nothing_was_run_has_not_held(folder: Path, stepup: Run) -> None:
    configure(folder, CONFIG)
    ran = stepup("drill trail --only dead-anchor --report out.md")
    assert ran.code == 1
    assert "· NOT RUN  Nothing could be run" in ran.out


def test_the_scenarios_are_listed_without_a_configuration(folder: Path, stepup: Run) -> None:
    ran = stepup("drill trail --list")
    assert ran.code == 0
    assert [name for name in NAMES if f"  {name} " not in ran.out] == []
    assert [item["name"] for item in json.loads(stepup("drill trail --list --json").out)] == list(NAMES)
    assert "tampering" not in stepup("drill trail --list --only crash").out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("--only nothing", "there is no 'nothing'; allowed are crash, disk,"),
        ("--report stepup.toml", "stepup.toml exists; a report is never written over"),
        ("--scratch audit", "audit lies in the audit folder: a drill stays out of it"),
        ("--scratch audit/segments", "audit/segments lies in the audit folder"),
        ("--scratch nowhere", "does not exist"),
        ("--seed -1", "-1 is not in the range"),
        ("--config nowhere.toml", "there is no such file"),
    ],
)
def test_a_mistake_is_exit_2_and_no_drill(drilled: Path, stepup: Run, arguments: str, why: str) -> None:
    (drilled / "audit" / "segments").mkdir(exist_ok=True)
    ran = stepup(f"drill trail {arguments}")
    assert ran.code == 2
    assert why in ran.err
    assert drill_lines(drilled) == []


def test_a_trail_that_cannot_be_written_is_not_drilled(drilled: Path, stepup: Run) -> None:
    (drilled / "audit" / "stepup.jsonl").write_bytes(b"")
    ran = stepup(f"drill trail {ONLY} --report out.md")
    assert ran.code == 2
    assert "lines were removed" in ran.err
    assert not (drilled / "out.md").exists()


@pytest.mark.slow
def test_a_drill_that_is_cut_off_says_so_and_leaves_no_scratch(drilled: Path) -> None:
    command = [sys.executable, "-m", "stepup_mw", "drill", "trail", "--report", "out.md"]
    process = subprocess.Popen(command, cwd=drilled, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 30
    while not drill_lines(drilled) and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert [line["detail"].get("verdict") for line in drill_lines(drilled)] == [None, "cut_off"]
    assert not list(drilled.glob(".stepup-drill-*"))
    assert not (drilled / "out.md").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_whole_drill_holds(folder: Path, stepup: Run) -> None:
    """Every case of every scenario, as a user runs it; a small file system only where mounting is permitted."""
    write_lines(configure(folder, SIGNED), *(f"line-{number}" for number in range(50)))
    ran = stepup("drill trail --report out.md --json")
    told = json.loads(ran.out)
    broken = [(item["name"], item["findings"]) for item in told["scenarios"] if item["verdict"] == "broke"]
    assert broken == []
    assert (ran.code, told["verdict"]) == (0, "held")
    assert {item["name"] for item in told["scenarios"] if item["verdict"] == "not_run"} <= {"full-disk"}
    assert told["cases"] > 2000
    assert os.listdir(folder / "audit")  # noqa: PTH208 - the service's own trail is still there
    assert stepup("verify").code == 0
