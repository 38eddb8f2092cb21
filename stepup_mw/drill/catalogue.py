"""The scenarios of ``stepup drill trail``, described: what is done, and what must hold. Nothing here runs anything."""

from __future__ import annotations

from .values import Scenario

_LOST = "every line that was acknowledged is there exactly once, the chain is whole, and a repair is itself a line"
_SEEN = "verify says so, or says that no checkpoint is over that line yet"

SCENARIOS = (
    Scenario(
        name="kill-random",
        family="crash",
        title="kill -9 of four loaded writers at random moments",
        promise=_LOST,
    ),
    Scenario(
        name="kill-calls",
        family="crash",
        title="kill -9 at each system call of an append, a rotation, a checkpoint",
        promise=_LOST,
    ),
    Scenario(
        name="torn-writes",
        family="crash",
        title="kill -9 in the middle of each write",
        promise=_LOST,
    ),
    Scenario(
        name="torn-ends",
        family="crash",
        title="a last line cut anywhere; zeros and garbage after it",
        promise="the next start puts the torn bytes aside, says so in a line, and goes on; nothing whole is lost",
    ),
    Scenario(
        name="failing-calls",
        family="disk",
        title="each system call refused in turn (EIO, ENOSPC)",
        promise=_LOST + "; what was not acknowledged was refused, and recovery needs no restart",
    ),
    Scenario(
        name="size-limit",
        family="disk",
        title="no room for one more line (RLIMIT_FSIZE), then room again",
        promise="lines are refused, not lost; they flow again without a restart, and the refusals are on record",
    ),
    Scenario(
        name="full-disk",
        family="disk",
        title="a small file system that runs full, then has room again",
        promise="lines are refused, not lost; they flow again without a restart, and the refusals are on record",
    ),
    Scenario(
        name="two-processes",
        family="processes",
        title="two processes, four threads, one file that rotates under them",
        promise="one chain in one order; every acknowledged line is there exactly once",
    ),
    Scenario(
        name="hands",
        family="processes",
        title="the live file deleted, moved, replaced, cut … under two writers",
        promise="it is noticed before the next line is acknowledged and put on record; what was lost shows in verify",
    ),
    Scenario(
        name="dead-anchor",
        family="anchors",
        title="an anchor that refuses, hangs, and comes back",
        promise='no line waits for it; its failure and its return are on record; then = "deny" holds requests back',
    ),
    Scenario(
        name="tamper-lines",
        family="tampering",
        title="each line edited, deleted, doubled, swapped, forged …",
        promise=_SEEN,
    ),
    Scenario(
        name="tamper-chain",
        family="tampering",
        title="each line changed, and all after it chained anew",
        promise=_SEEN,
    ),
    Scenario(
        name="tamper-cut",
        family="tampering",
        title="the trail cut after each line, and without each of its files",
        promise=_SEEN + "; and no writer goes on from there",
    ),
    Scenario(
        name="tamper-notes",
        family="tampering",
        title="each bit of a checkpoint flipped; notes lost, forged, forked",
        promise="verify does not pass",
    ),
    Scenario(
        name="tamper-rollback",
        family="tampering",
        title="the whole folder set back to how it was earlier",
        promise="what the signer keeps beside its key does not fit: verify says so, and nothing more is signed",
    ),
    Scenario(
        name="tamper-copy",
        family="tampering",
        title="a copy of your own trail, forged in every way",
        promise=_SEEN,
    ),
    Scenario(
        name="apart",
        family="marking",
        title="a drill's lines offered as evidence",
        promise="every line of a drill says so, and none verifies as the service's",
    ),
)
"""In the order in which they are run."""

FAMILIES = tuple(dict.fromkeys(scenario.family for scenario in SCENARIOS))
NAMES = tuple(scenario.name for scenario in SCENARIOS)
