"""Processes to kill: what they had acknowledged is known, whatever became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stepup_mw.drill.acts import LIFE, Act, Fault, Played, Step
from stepup_mw.drill.lab import aftermath, found_in, marks_of
from stepup_mw.drill.stage import Stage
from stepup_mw.drill.values import NotPossible

from .parts import configure, lab_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stepup_mw.drill.lab import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with lab_of(configure(folder), folder) as made:
        yield made


def play(lab: Lab, name: str, act: Act) -> tuple[Played, str]:
    ground = lab.ground(name)
    (played,) = lab.stage.play(ground.scene(act))
    return played, aftermath(ground, [played], told=True)


def test_a_life_without_a_fault(lab: Lab) -> None:
    played, problem = play(lab, "life", Act("a", LIFE))
    assert (played.ended, problem) == ("done", "")
    assert played.acknowledged == ("a-1-0-0", "a-1-0-1", "a-2-0-0", "a-3-0-0")
    assert played.refused == ()
    assert min(played.calls[call] for call in ("open", "write", "fsync", "fdatasync", "rename", "flock")) >= 1


@pytest.mark.parametrize(
    ("fault", "ended", "acknowledged"),
    [
        (Fault("fdatasync", 1, "kill"), "killed", 0),
        (Fault("write", 2, "torn"), "killed", 1),
        (Fault("rename", 1, "kill"), "killed", 2),
        (Fault("fdatasync", 2, "EIO"), "done", 4),
    ],
    ids=str,
)
def test_a_fault_strikes_where_it_should(lab: Lab, fault: Fault, ended: str, acknowledged: int) -> None:
    played, problem = play(lab, str(fault).replace(" ", "-"), Act("a", LIFE, fault))
    assert (played.ended, len(played.acknowledged), problem) == (ended, acknowledged, "")


def test_a_torn_write_is_torn(lab: Lab) -> None:
    ground = lab.ground("torn")
    lab.stage.play(ground.scene(Act("a", (Step("append", 2),), Fault("write", 2, "torn"))))
    assert ground.verify().verdict == "TORN_TAIL"
    assert aftermath(ground, ()) == ""
    assert len(marks_of(ground.audit, "recovered")) == 1


def test_what_goes_on_for_ever_is_killed_in_time(lab: Lab) -> None:
    ground = lab.ground("for-ever")
    acts = [Act(name, (Step("append", 0, 2),)) for name in "ab"]
    played = lab.stage.play(ground.scene(*acts, kill_after_s=0.4))
    assert [act.ended for act in played] == ["killed", "killed"]
    assert sum(len(act.acknowledged) for act in played) > 0
    assert aftermath(ground, played) == ""


def test_lost_lines_are_noticed(lab: Lab) -> None:
    """The question itself: an acknowledgement of a line that is not there, and a line that is there twice."""
    ground = lab.ground("lost")
    ground.fill(2)
    assert found_in(ground, ["lost-0", "lost-1"]) == ""
    assert "never (0 times)" in found_in(ground, ["lost-0", "never"])
    trail = ground.open()
    trail.append_blocking([ground.record("lost-0")])
    trail.close()
    assert "lost-0 (2 times)" in found_in(ground, ["lost-0"])
    assert aftermath(ground, [Played(acknowledged=(), refused=(), ended="hung")]) == "a writer hangs"


def test_a_forged_trail_is_noticed(lab: Lab) -> None:
    ground = lab.ground("forged")
    ground.fill(3)
    data = ground.live.read_bytes()
    ground.live.write_bytes(data.replace(b"forged-1", b"forgot-1"))
    assert found_in(ground, []).startswith("TAMPERED")


def test_a_stage_that_is_gone_says_so(tmp_path: Path) -> None:
    settings = configure(tmp_path)
    with lab_of(settings, tmp_path) as lab, Stage() as stage:
        ground = lab.ground("gone")
        stage._child.kill()
        stage._child.wait()
        with pytest.raises(NotPossible, match="is gone"):
            stage.play(ground.scene(Act("a", LIFE)))
