"""No room: a limit on the size of a file, on the file system of the trail; and a small file system that runs full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .acts import Act, Step
from .lab import aftermath, found_in, marks_of
from .values import NotPossible

if TYPE_CHECKING:
    from pathlib import Path

    from .acts import Played
    from .lab import Ground, Lab
    from .values import Score

_ROOM = 1000
"""Bytes beyond the live file's size: a line or so."""

_SMALL = 16 << 20
_LONG_LINE = 12 * 1024
_MOST = 4000
"""Lines that may still find room on a disk that is full: what a reserve gives back."""


def size_limit(lab: Lab, score: Score) -> None:
    ground = lab.ground("size-limit", rotate_size=None)
    turn = (Step("limit", _ROOM), Step("until_refused", _MOST), Step("append", 2), Step("unlimit"), Step("append", 2))
    score.expect(lab.rounds)
    refused = 0
    for number in range(lab.rounds):
        act = Act(f"t{number}", (Step("append", 2), *turn, Step("close")))
        played = lab.stage.play(ground.scene(act))
        refused += len(played[0].refused)
        problem = _flows_again(played[0]) or aftermath(ground, played, durable=lab.durable, told=True)
        score.case(f"turn {number + 1}", problem or _on_record(ground.audit, refused, lab))
    score.said = f"{refused} lines refused, all of them on record"


def full_disk(lab: Lab, score: Score) -> None:
    ground = lab.ground("full-disk")
    full = (Step("append", 5), Step("fill"), Step("until_refused", _MOST), Step("append", 2))
    again = (Step("free"), Step("append", 5), Step("close"), Step("copy_out"))
    (played,) = lab.stage.play(ground.scene(Act("a", (Step("mount", _SMALL), *full, *again), line_bytes=_LONG_LINE)))
    if played.ended.startswith("not possible"):
        raise NotPossible(played.ended.removeprefix("not possible: "))
    score.expect(1)
    score.case(f"{_SMALL >> 20} MiB", _flows_again(played) or _after_the_mount(lab, ground, played))
    score.said = f"{len(played.acknowledged)} lines acknowledged, {len(played.refused)} refused while it was full"


def _after_the_mount(lab: Lab, ground: Ground, played: Played) -> str:
    out = ground.folder / "out"
    acknowledged = played.acknowledged if lab.durable else ()
    return found_in(ground, acknowledged, out, told=True) or _on_record(out, len(played.refused), lab)


def _flows_again(played: Played) -> str:
    """A full disk refuses, and lines are taken again without a restart once there is room."""
    if played.ended != "done":
        return f"the writer {played.ended}"
    if not played.refused:
        return "nothing was refused, though there was no room"
    after = [name for name in played.acknowledged if _turn(name) > _turn(played.refused[-1])]
    return "" if after else "no line was taken again once there was room"


def _turn(event_id: str) -> int:
    return int(event_id.rsplit("-", 3)[1])


def _on_record(audit: Path, refused: int, lab: Lab) -> str:
    said = sum(int(gap["refused"]) + int(gap["lost"]) for gap in marks_of(audit, "gap"))
    return "" if said >= refused or not lab.durable else f"{refused} lines were refused, and {said} are on record"
