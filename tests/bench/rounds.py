"""Interleaved timing: every case runs once a round, the order rotated, so that a drift of the machine hits all alike.

Ratios are taken inside a round, against the first case, and their median and spread over the rounds are reported.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Case = Callable[[int], None]
"""Does its work n times."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Nanoseconds a call over all rounds, and the same less the base case of the round."""

    best: float
    median: float
    worst: float
    added: float
    ratio: float
    ratio_low: float
    ratio_high: float


def interleave(cases: Mapping[str, Case], *, rounds: int, slice_s: float = 0.03) -> dict[str, Figures]:
    """Time all cases in turn; the first is the base."""
    names = list(cases)
    counts = {name: _calibrate(cases[name], slice_s) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                taken[name].append(_timed(cases[name], counts[name]))
    finally:
        gc.enable()
    return {name: _figures(taken[name], taken[names[0]]) for name in names}


def _figures(taken: list[float], base: list[float]) -> Figures:
    ratios = sorted(mine / theirs for mine, theirs in zip(taken, base, strict=True))
    return Figures(
        best=min(taken),
        median=statistics.median(taken),
        worst=max(taken),
        added=statistics.median(mine - theirs for mine, theirs in zip(taken, base, strict=True)),
        ratio=statistics.median(ratios),
        ratio_low=ratios[0],
        ratio_high=ratios[-1],
    )


def _timed(case: Case, count: int) -> float:
    begun = time.perf_counter_ns()
    case(count)
    return (time.perf_counter_ns() - begun) / count


def _calibrate(case: Case, slice_s: float) -> int:
    case(3)
    count = 1
    while True:
        begun = time.perf_counter()
        case(count)
        taken = time.perf_counter() - begun
        if taken >= slice_s / 4 or count >= 10_000_000:
            return max(1, int(count * slice_s / max(taken, 1e-9)))
        count *= 4


def table(head: str, rows: list[list[str]]) -> str:
    """A Markdown table; ``head`` names the columns, separated by bars."""
    columns = [column.strip() for column in head.split("|")]
    rule = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [columns, rule, *rows])
