"""From what the anchors prove to the verdict of a verification: how much of the end no anchor holds yet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import AnchorError, TrailUnavailable
from ..trail.report import NO_INTEGRITY_DATA, RANK, SHRUNK, UNANCHORED_TAIL, Finding, Report
from ..trail.trusted import Held
from .lines import time_at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..trail.files import Layout
    from .evidence import Evidence


def held_by(evidence: Sequence[Evidence]) -> list[Held]:
    """The checkpoints that the trail has to continue, since an anchor holds them."""
    return [
        Held(checkpoint=item.checkpoint, where=f"held by {item.anchor.name}")
        for item in evidence
        if item.checkpoint is not None and item.anchor.acknowledges
    ]


def judge(
    report: Report, evidence: Sequence[Evidence], layout: Layout, *, lines: int | None, seconds: int | None
) -> Report:
    """The report with the anchors' word in it: what is unanchored is counted from the last checkpoint that one of them
    holds, and limited by ``lines`` and ``seconds``. One that proves nothing, or saw more than there is: a finding."""
    total = report.first_seq + report.lines
    anchored = max((held.checkpoint.size for held in held_by(evidence) if held.checkpoint.size <= total), default=0)
    behind, age = total - max(anchored, report.first_seq), _span(layout, anchored, total)
    findings = [*report.findings]
    for item in evidence:
        name = item.anchor.name
        if item.problem:
            findings.append(Finding(verdict=NO_INTEGRITY_DATA, why=f"{name} proves nothing: {item.problem}"))
        elif report.lines and item.seen > total:
            findings.append(
                Finding(verdict=SHRUNK, why=f"{name} has seen {item.seen} lines, and there are only {total}")
            )
    if any(limit is not None and value > limit for limit, value in ((lines, behind), (seconds, age))):
        why = f"{behind} lines over {age:.0f} seconds are under no anchor yet"
        findings.append(Finding(verdict=UNANCHORED_TAIL, why=why))
    ranked = tuple(sorted(findings, key=lambda item: RANK.index(item.verdict)))
    verdict = ranked[0].verdict if ranked else report.verdict
    judged = replace(report, verdict=verdict, findings=ranked, unanchored_lines=behind, unanchored_s=age)
    return replace(judged, max_unanchored_lines=lines, max_unanchored_s=seconds)


def _span(layout: Layout, anchored: int, total: int) -> float:
    """The seconds from the last line that is anchored (the first there is, if none) to the last one."""
    try:
        start, end = time_at(layout, max(0, anchored - 1)), time_at(layout, total - 1)
    except (OSError, TrailUnavailable, AnchorError):
        return 0.0
    return max(0.0, end - start) if start is not None and end is not None else 0.0
