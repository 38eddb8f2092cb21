"""Several processes on one file, and hands that touch it under them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ..errors import StepUpError
from .acts import Act, Step
from .attacks import Copy, insert, rechain
from .lab import aftermath, found_in, marks_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .lab import Ground, Lab
    from .values import Score

_PROCESSES, _THREADS, _LINES = 2, 4, 25


def two_processes(lab: Lab, score: Score) -> None:
    score.expect(2)
    plain = lab.ground("two-processes")
    act = (Step("append", _LINES, _THREADS), Step("checkpoint"), Step("close"))
    played = lab.stage.play(plain.scene(*(Act(f"p{number}", act) for number in range(_PROCESSES))))
    score.case("rotation by size", aftermath(plain, played, durable=lab.durable))
    busy = lab.ground("two-processes-rotating")
    turns = (Step("append", 5, _THREADS), Step("rotate")) * 5
    both = lab.stage.play(busy.scene(*(Act(f"p{number}", (*turns, Step("close"))) for number in range(_PROCESSES))))
    score.case("rotation by hand", aftermath(busy, both, durable=lab.durable))
    lines = sum(len(act.acknowledged) for act in (*played, *both))
    segments = sum(len(list((ground.audit / "segments").iterdir())) for ground in (plain, busy))
    score.said = f"{lines} lines by {_PROCESSES} processes of {_THREADS} threads, over {segments} rotations"


@dataclass(frozen=True, slots=True)
class Hand:
    """What a hand does to the live file, how the trail calls it, and whether lines are lost by it. ``behind``: how it
    calls it where the next to write is a writer that had not seen the last line, if not the same."""

    does: str
    touch: Callable[[Path], object]
    called: str
    harms: bool = False
    behind: str = ""


def _copied_back(live: Path) -> None:
    data = live.read_bytes()
    live.unlink()
    live.write_bytes(data)


def _another(live: Path) -> None:
    live.unlink()
    live.write_bytes(b"something else\n")


def _linked(live: Path) -> None:
    live.rename(live.with_name("elsewhere"))
    live.symlink_to("elsewhere")


def _cut(live: Path) -> None:
    os.truncate(live, live.stat().st_size - 300)


def _rewritten(live: Path) -> None:
    """A line changed, all after it chained anew, and one more added: what a forger leaves who knows the format."""
    copy = Copy(((live.name, live.read_bytes()),), b"")
    forged = rechain(copy, copy.places()[1]).copy
    live.write_bytes(insert(forged, forged.files[0][1].split(b"\n")[1]).copy.files[0][1])


HANDS = (
    Hand("deletes it", lambda live: live.unlink(), "deleted"),
    Hand("moves it away", lambda live: live.rename(live.with_name("elsewhere")), "deleted"),
    Hand("puts another file in its place", _another, "replaced"),
    Hand("puts a copy in its place", _copied_back, "replaced"),
    Hand("makes it a symbolic link", _linked, "replaced"),
    Hand("takes the right to write away", lambda live: live.chmod(0o400), "unwritable"),
    Hand("cuts its end off", _cut, "truncated", harms=True, behind="rewritten"),
    Hand("empties it", lambda live: os.truncate(live, 0), "truncated", harms=True),
    Hand("writes it anew", _rewritten, "rewritten", harms=True),
)


ORDERS = {"": "abab" + "ba", ", before one that is behind": "abab" + "ab"}
"""Whose turn it is to write, of two: four lines before the hand, two after it."""


def hands(lab: Lab, score: Score) -> None:
    score.expect(len(HANDS) * len(ORDERS))
    for number, (hand, (when, order)) in enumerate(product(HANDS, ORDERS.items())):
        ground = lab.ground(f"hands-{number}", durability="commit", rotate_size=None)
        called = (when and hand.behind) or hand.called
        score.case(f"a hand {hand.does}{when}", _touched(ground, hand, order, called))
    score.said = "each put on record as audit/file_replaced before the next line was acknowledged"


def _touched(ground: Ground, hand: Hand, order: str, called: str) -> str:
    writers = {"a": ground.open(), "b": ground.open()}
    names = [f"{ground.folder.name}-{number}" for number in range(len(order))]
    try:
        for number, (name, turn) in enumerate(zip(names, order, strict=True)):
            if number == 4:
                hand.touch(ground.live)
            writers[turn].append_blocking([ground.record(name)])
    except StepUpError as error:
        return f"a writer cannot go on: {error}"
    finally:
        for writer in writers.values():
            writer.close()
    if called not in [mark["what"] for mark in marks_of(ground.audit, "file_replaced")]:
        return f"it is not on record as {called}"
    if not hand.harms:
        return found_in(ground, names)
    report = ground.verify()
    return "" if report.exit_code == 2 else f"lines were lost, and verify says {report.verdict}"
