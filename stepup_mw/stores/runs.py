"""The run of spaced right codes by which the owner of a locked account unlocks it: its arithmetic, for every store.

Pure functions of values. Nothing here counts or remembers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """``slot``: the last time step in which a code was looked at. ``step``: the last one that counted. ``pending``:
    a look has begun, and nobody has said yet how it ended. ``since``: when the first of ``count`` was right."""

    slot: int = -1
    step: int = -1
    count: int = 0
    since: float = 0.0
    pending: bool = False


def look(run: Run, slot: int) -> Run | None:
    """The run with a look in ``slot`` begun, or None where that slot has had its look. One begun before and never
    ended was wrong."""
    if slot <= run.slot:
        return None
    return replace(run, slot=slot, pending=True, count=0 if run.pending else run.count)


def succeed(run: Run, step: int, *, now: float, needed: int, within_s: int) -> tuple[Run, int]:
    """The run after a look, and the count to give: 0 for a wrong code, ``needed`` once and then the run is over."""
    if not run.pending:
        return run, 0
    if step <= run.step:
        return interrupt(run), 0
    goes_on = run.count > 0 and 0 <= now - run.since < within_s
    count, since = (run.count + 1, run.since) if goes_on else (1, now)
    ended = Run(slot=run.slot, step=step, count=count if count < needed else 0, since=since)
    return ended, min(count, needed)


def interrupt(run: Run) -> Run:
    """The run is over; what was taken for it stays taken."""
    return replace(run, count=0, pending=False)
