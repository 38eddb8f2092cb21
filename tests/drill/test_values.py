"""What a drill is told in: counts, verdicts, faults in order, and the report."""

from __future__ import annotations

from typing import Any

import pytest

from stepup_mw.drill.acts import CALLS, Fault, faults_of
from stepup_mw.drill.catalogue import FAMILIES, NAMES, SCENARIOS
from stepup_mw.drill.report import FAMILIES as TITLES
from stepup_mw.drill.report import as_json, headline, render
from stepup_mw.drill.run import RUNS
from stepup_mw.drill.values import SHOWN, Drill, Finding, Result, Score, Verdict


def result(verdict: Verdict, index: int = 0, **changes: Any) -> Result:
    return Result(scenario=SCENARIOS[index], verdict=verdict, **changes)


def drill(*results: Result) -> Drill:
    return Drill(
        drill_id="01a226d4",
        service="bank",
        config="stepup.toml",
        begun=1_795_000_000.0,
        ended=1_795_000_060.0,
        seed=7,
        place=[("host", "web-1")],
        results=results,
    )


def test_each_scenario_is_described_and_run() -> None:
    assert tuple(RUNS) == NAMES
    assert len(set(NAMES)) == len(NAMES)
    assert set(TITLES) == set(FAMILIES)
    assert not set(NAMES) & set(FAMILIES), "--only takes either"
    for scenario in SCENARIOS:
        assert scenario.title
        assert scenario.promise[:1].islower()
        assert not scenario.promise.endswith(".")


def test_cases_are_counted_and_the_first_findings_kept() -> None:
    seen: list[tuple[int, int]] = []
    score = Score(lambda done, total: seen.append((done, total)))
    score.expect(30)
    for number in range(30):
        score.case(f"case {number}", "no" if number else "")
    score.case("one more")
    assert (score.tried, score.broken, len(score.findings)) == (31, 29, SHOWN)
    assert seen[0] == (1, 30)
    assert seen[-1] == (31, 31)


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (("held",), "held"),
        (("held", "not_run"), "held"),
        (("held", "broke", "not_run"), "broke"),
        (("not_run",), "not_run"),
        ((), "not_run"),
    ],
)
def test_a_drill_holds_only_if_something_was_run_and_all_of_it_held(
    verdicts: tuple[Verdict, ...], verdict: Verdict
) -> None:
    assert drill(*(result(each) for each in verdicts)).verdict == verdict


def test_each_call_fails_in_each_way_that_fits_it() -> None:
    faults = list(faults_of({"write": 2, "flock": 1, "read": 5}, ("kill", "torn", "ENOSPC")))
    assert faults == [
        *(Fault("write", at, how) for at in (1, 2) for how in ("kill", "torn", "ENOSPC")),
        Fault("flock", 1, "kill"),
    ]
    assert list(faults_of(dict.fromkeys(CALLS, 1), ("torn",))) == [Fault("write", 1, "torn")]
    assert str(Fault("write", 3, "torn")) == "killed within write 3"


BROKEN = result(
    "broke",
    3,
    tried=30,
    broken=25,
    said="25 did <not> | hold",
    findings=(Finding(case="cut `here`", why="line\nbreak \x1b[31m red"),),
)


def test_the_report_says_what_was_promised_tried_and_found() -> None:
    held = result("held", tried=3, said="three of three", seconds=1.25)
    text = render(drill(held, BROKEN, result("not_run", 6, said="mounting is not permitted here")))
    for part in (
        "# Drill of the audit trail of bank",
        "**25 of 33 cases did not hold, in 1 of 3 scenarios; 1 not run**",
        "`drill:bank`",
        "| kill -9 of four loaded writers at random moments | 3 | held | 1.2 |",
        f"- *Promised:* {SCENARIOS[0].promise}.",
        "- *Seen:* three of three.",
        "- **held**: 3 cases of 3 held",
        "- **not run**: mounting is not permitted here",
        "- … and 24 more",
        "`01a226d4`",
    ):
        assert part in text, part


def test_text_from_outside_cannot_write_the_report() -> None:
    text = render(drill(BROKEN))
    assert "\x1b" not in text
    assert "25 did &lt;not> \\| hold" in text
    assert "- **cut 'here'**: line" in text
    assert "\nbreak" not in text


def test_the_same_as_a_value() -> None:
    value = as_json(drill(BROKEN))
    assert (value["verdict"], value["cases"], value["broken"]) == ("broke", 30, 25)
    assert value["scenarios"][0]["findings"][0]["case"] == "cut `here`"


def test_nothing_run_is_nothing_held() -> None:
    assert headline(drill(result("not_run"))) == "Nothing could be run"
