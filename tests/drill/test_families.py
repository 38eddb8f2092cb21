"""The families, a few cases of each: what is whole holds, and what is not whole is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stepup_mw.drill.lab import service_of
from stepup_mw.drill.run import RUNS, run_one
from stepup_mw.drill.values import NotPossible, Score
from stepup_mw.trail import read_lines, verify_trail

from ..cli.conftest import CONFIG
from .parts import SIGNED, configure, lab_of, scenario, vkey_of, write_lines

if TYPE_CHECKING:
    from pathlib import Path

QUICK = ("hands", "tamper-lines", "tamper-chain", "tamper-cut", "tamper-rollback", "apart")
"""Scenarios of a moment; all of them, whole, are in tests/cli/test_drill.py under ``slow``."""


@pytest.mark.parametrize("name", QUICK)
def test_what_is_whole_holds(name: str, tmp_path: Path) -> None:
    settings = configure(tmp_path)
    write_lines(settings, "a", "b")
    with lab_of(settings, tmp_path) as lab:
        result = run_one(lab, scenario(name))
    assert (result.verdict, result.findings) == ("held", ())
    assert result.tried > 1
    assert result.said


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["write", "async"])
def test_what_holds_hangs_on_what_is_configured(durability: str, tmp_path: Path) -> None:
    settings = configure(tmp_path, SIGNED.replace("[audit]", f'[audit]\ndurability = "{durability}"'))
    with lab_of(settings, tmp_path) as lab:
        for name in ("kill-random", "kill-calls", "two-processes"):
            result = run_one(lab, scenario(name))
            assert (result.verdict, result.findings) == ("held", ()), name


def test_without_a_signing_key_a_chain_made_anew_passes_and_the_drill_says_so(tmp_path: Path) -> None:
    settings = configure(tmp_path, CONFIG)
    with lab_of(settings, tmp_path) as lab:
        chain, notes = run_one(lab, scenario("tamper-chain")), run_one(lab, scenario("tamper-notes"))
    assert (chain.verdict, chain.broken) == ("broke", chain.tried)
    assert "audit.signing_key_file" in chain.findings[0].why
    assert (notes.verdict, notes.tried) == ("not_run", 0)
    assert "audit.signing_key_file" in notes.said


def test_the_services_own_trail_is_copied_forged_and_left_alone(tmp_path: Path) -> None:
    settings = configure(tmp_path)
    write_lines(settings, "a", "b", "c")
    before = {path: path.read_bytes() for path in settings.trail.path.parent.rglob("*") if path.is_file()}
    with lab_of(settings, tmp_path) as lab:
        result = run_one(lab, scenario("tamper-copy"))
        assert not (lab.folder / "tamper-copy").exists(), "a copy of evidence is never left behind"
    assert (result.verdict, result.findings) == ("held", ())
    assert result.tried > 50
    assert {path: path.read_bytes() for path in settings.trail.path.parent.rglob("*") if path.is_file()} == before


def test_a_trail_of_the_service_that_is_broken_is_a_finding(tmp_path: Path) -> None:
    settings = configure(tmp_path)
    write_lines(settings, "a", "b")
    live = settings.trail.path
    live.write_bytes(live.read_bytes().replace(b'"event_id":"a"', b'"event_id":"x"'))
    with lab_of(settings, tmp_path) as lab:
        result = run_one(lab, scenario("tamper-copy"))
    assert result.verdict == "broke"
    assert "your trail itself does not verify: TAMPERED" in result.findings[0].why


@pytest.mark.parametrize(("limit", "why"), [(10, "more than is copied"), (1 << 20, "")])
def test_a_trail_that_is_too_large_is_not_copied(tmp_path: Path, limit: int, why: str) -> None:
    settings = configure(tmp_path)
    write_lines(settings, "a")
    with lab_of(settings, tmp_path, copy_limit=limit) as lab:
        result = run_one(lab, scenario("tamper-copy"))
    assert result.verdict == ("not_run" if why else "held")
    assert why in result.said


def test_a_trail_without_a_line_is_not_forged(tmp_path: Path) -> None:
    with lab_of(configure(tmp_path), tmp_path) as lab:
        result = run_one(lab, scenario("tamper-copy"))
    assert (result.verdict, result.said) == ("not_run", "the trail has no lines yet")


def test_a_drills_trail_is_no_evidence(tmp_path: Path) -> None:
    """By itself it is whole; under the key of the service it is not, and each of its lines says what it is."""
    settings = configure(tmp_path)
    write_lines(settings, "a")
    with lab_of(settings, tmp_path) as lab:
        ground = lab.ground("evidence")
        ground.fill(5)
    assert ground.verify().exit_code == 0
    report = verify_trail(ground.audit, vkey=vkey_of(settings))
    assert (report.verdict, report.exit_code) == ("WRONG_KEY", 2)
    lines = [line.event for line in read_lines(ground.audit)]
    assert {line["service"] for line in lines} == {"drill:bank"} == {service_of("bank")}
    assert {line["event_type"] for line in lines} == {"drill", "audit"}


def test_no_service_can_have_the_name_of_a_drills(tmp_path: Path) -> None:
    from stepup_mw.errors import ConfigError  # noqa: PLC0415 - beside what it is about

    with pytest.raises(ConfigError, match="service"):
        configure(tmp_path, CONFIG.replace('service = "bank"', f'service = "{service_of("bank")}"'))


def test_what_goes_wrong_in_a_scenario_is_a_finding(tmp_path: Path) -> None:
    settings = configure(tmp_path)
    with lab_of(settings, tmp_path) as lab:
        lab.ground("tamper-lines")  # its folder is there already
        result = run_one(lab, scenario("tamper-lines"))
    assert result.verdict == "broke"
    assert "FileExistsError" in result.findings[0].why


def test_the_runs_take_a_lab_and_a_score(tmp_path: Path) -> None:
    with lab_of(configure(tmp_path, CONFIG), tmp_path) as lab:
        score = Score()
        with pytest.raises(NotPossible):
            RUNS["dead-anchor"](lab, score)
    assert score.tried == 0
