"""What a verification came to: for a person, and as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .screen import fields, paint, safe, say

if TYPE_CHECKING:
    from pathlib import Path

    from ..trail.report import Finding, Report

COLORS = {0: "green", 3: "yellow", 4: "yellow"}


def verdict_json(path: Path | str, report: Report, *, keyed: bool) -> dict[str, Any]:
    """The object that ``verify --json`` prints. ``keyed``: a verifier key was given."""
    checkpoint = report.checkpoint
    return {
        "verdict": report.verdict,
        "verified": report.exit_code == 0,
        "exit_code": report.exit_code,
        "message": report.message,
        "path": str(path),
        "first_seq": report.first_seq,
        "lines": report.lines,
        "parsed": report.parsed,
        "bytes": report.bytes,
        "files": report.files,
        "key": keyed,
        "signed": report.signed,
        "checkpoints": report.checkpoints,
        "checkpoint": {"size": checkpoint.size, "root": checkpoint.root, "time": checkpoint.time}
        if checkpoint
        else None,
        "root": report.root,
        "unanchored": {"lines": report.unanchored_lines, "seconds": report.unanchored_s},
        "max_unanchored": {"lines": report.max_unanchored_lines, "seconds": report.max_unanchored_s},
        "lost_lines": report.lost_lines,
        "missing_lines": report.missing_lines,
        "first_bad": _finding_json(report.first_bad) if report.first_bad else None,
        "findings": [_finding_json(finding) for finding in report.findings],
        "events": dict(report.events),
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict,
        "why": finding.why,
        "file": str(finding.file) if finding.file else None,
        "line": finding.line,
        "seq": finding.seq,
    }


def show(path: Path | str, report: Report, told: tuple[str, str] | None, *, keyed: bool, took_s: float) -> None:
    """``told``: what was learnt beside it, as a field and its text. ``keyed``: a verifier key was given."""
    color = COLORS.get(report.exit_code, "red")
    sign = "✓" if report.exit_code == 0 else "✗"
    verdict = f"{report.verdict} {report.first_seq}" if report.verdict == "VERIFIED_FROM" else report.verdict
    say(f"{paint(f'{sign} {verdict}', color, bold=True)}  {safe(report.message)}")
    say()
    lines = [("trail", safe(path))]
    if report.lines:
        size = f"{report.bytes / 1e6:.1f} MB" if report.bytes >= 100_000 else f"{report.bytes} bytes"
        lines.append(
            ("checked", f"{_count(report.lines, 'line')}, {_count(report.files, 'file')}, {size}, {took_s:.1f} s")
        )
        lines.append(("checkpoints", _checkpoint_text(report, keyed=keyed)))
    if report.window:
        lines.append(("unanchored", report.window))
    if told is not None:
        lines.append(told)
    lines += [(finding.verdict.lower().replace("_", " "), _finding_text(finding)) for finding in report.findings]
    watched = {name: count for name, count in report.events.items() if name not in ("start", "stop", "checkpoint")}
    if watched:
        lines.append(("on record", ", ".join(f"{count} {safe(name, 32)}" for name, count in sorted(watched.items()))))
    say(fields(lines))


def _checkpoint_text(report: Report, *, keyed: bool) -> str:
    if report.checkpoint is None:
        none = "none" if keyed else "none, and no key given: only the chain itself was checked"
        return "none before the line that is wrong" if report.verdict == "TAMPERED" else none
    signed = "signatures checked" if report.signed else "signatures not checked: no key given (--key)"
    until = f", until {safe(report.checkpoint.time)}" if report.checkpoint.time else ""
    covers = f"the last covers {_count(report.checkpoint.size, 'line')}{until}"
    after = f"\n{_count(report.unanchored_lines, 'line')} after it, over {report.unanchored_s:.0f} s"
    return f"{report.checkpoints}, {signed}\n{covers}{after if report.unanchored_lines else ''}"


def _finding_text(finding: Finding) -> str:
    place = safe(finding.file) if finding.file else ""
    place += f":{finding.line}" if finding.line is not None else ""
    place += "" if finding.seq is None else f" (seq {finding.seq})" if place else f"seq {finding.seq}"
    return f"{paint(place, bold=True)}\n{safe(finding.why)}" if place else safe(finding.why)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
