"""Crashes: writers killed at random, at each system call, within a write; and what power loss makes of an end."""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING

from .acts import LIFE, Act, Step, faults_of
from .lab import aftermath, marks_of

if TYPE_CHECKING:
    from .acts import How
    from .lab import Ground, Lab
    from .values import Score

WRITERS, THREADS = 4, 4
_STEP = 16
"""Bytes from one cut of the last line to the next."""

GARBAGE = {
    "zeros": b"\0" * 4096,
    "a line of zeros": b"\0" * 64 + b"\n",
    "an empty line": b"\n",
    "the beginning of a line": b'{"prev":"AAAA',
    "bytes": bytes(range(128, 256)) * 4,
    "an object": b"{}\n",
}
"""What power loss leaves after the last line."""


def kill_random(lab: Lab, score: Score) -> None:
    ground, acknowledged, torn = lab.ground("kill-random"), 0, 0
    score.expect(lab.rounds)
    for turn in range(lab.rounds):
        acts = [Act(f"r{turn}w{number}", (Step("append", 0, THREADS),)) for number in range(WRITERS)]
        played = lab.stage.play(ground.scene(*acts, kill_after_s=lab.random.uniform(0.05, 0.35)))
        score.case(f"round {turn + 1}", aftermath(ground, played, durable=lab.durable))
        acknowledged += sum(len(act.acknowledged) for act in played)
    torn = len(marks_of(ground.audit, "recovered"))
    score.said = f"{acknowledged:,} lines acknowledged by {WRITERS} writers, {torn} torn ends repaired on record"


def kill_calls(lab: Lab, score: Score) -> None:
    _each_fault(lab, score, "kill-calls", ("kill",))


def torn_writes(lab: Lab, score: Score) -> None:
    _each_fault(lab, score, "torn-writes", ("torn",))


def failing_calls(lab: Lab, score: Score) -> None:
    _each_fault(lab, score, "failing-calls", ("EIO", "ENOSPC"))


def _each_fault(lab: Lab, score: Score, name: str, hows: tuple[How, ...]) -> None:
    """A short life, over and over, with another call going wrong each time."""
    first = lab.ground(f"{name}-0")
    (whole,) = lab.stage.play(first.scene(Act("a", LIFE)))
    faults = lab.sample(tuple(faults_of(whole.calls, hows)))
    score.expect(len(faults))
    struck: Counter[str] = Counter()
    for number, fault in enumerate(faults, 1):
        ground = lab.ground(f"{name}-{number}")
        played = lab.stage.play(ground.scene(Act("a", LIFE, fault)))
        score.case(str(fault), aftermath(ground, played, durable=lab.durable, told="kill" not in hows))
        struck[fault.call] += played[0].ended == "killed" or played[0].calls.get(fault.call, 0) >= fault.at
    what = ", ".join(f"{count} {call}" for call, count in struck.items())
    score.said = f"{struck.total()} calls struck in the life of a writer: {what}"


def torn_ends(lab: Lab, score: Score) -> None:
    golden = lab.ground("torn-ends", rotate_size=None, signing_key_file=None)
    golden.fill(3)
    whole = golden.live.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    cuts = range(last + 1, len(whole), _STEP)
    ends = {f"cut after byte {size - last} of the last line": whole[:size] for size in lab.sample(cuts)}
    ends |= {f"{name} after the last line": whole + garbage for name, garbage in GARBAGE.items()}
    score.expect(len(ends))
    for name, content in ends.items():
        score.case(name, _repaired(golden, content))
    score.said = f"{len(ends)} ends, each put aside under torn/ and on record"


def _repaired(golden: Ground, content: bytes) -> str:
    shutil.rmtree(golden.audit)
    golden.audit.mkdir(mode=0o700)
    golden.live.write_bytes(content)
    before = golden.verify()
    if before.verdict != "TORN_TAIL":
        return f"verify said {before.verdict} of it, not TORN_TAIL"
    problem = aftermath(golden, ())
    if not problem and len(marks_of(golden.audit, "recovered")) != 1:
        return "the repair is not on record"
    if not problem and not list((golden.audit / "torn").iterdir()):
        return "the torn bytes were not kept"
    return problem
