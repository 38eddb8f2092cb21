"""``explain``: what would happen to a request, by the code that decides about live ones."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import service
from .configuration import methods_text, rule_json
from .names import user_name
from .program import command
from .screen import fields, paint, safe, say, say_json

if TYPE_CHECKING:
    from ..gate.whereabouts import Whereabouts
    from ..policy import Rule
    from ..risk import Assessment
    from ..signals import Finding
    from .forecast import Forecast

COLORS = {"pass": "green", "allow": "green", "challenge": "yellow", "login": "yellow"}
"""The rest is refused, in red."""


@command("explain")
@click.argument("method")
@click.argument("path")
@click.option("--user", type=user_name, metavar="TEXT", help="Who asks; left out: nobody is logged in.")
@click.option("--ip", help="From which address.")
@click.option(
    "--device",
    default="new",
    show_default=True,
    metavar="known|new|ID",
    help="In which browser: one this user proved themself in, another, or the device_id of an audit line.",
)
@click.option("--at", metavar="TIMESTAMP", help="When: 2026-11-23T07:25:00Z; left out: now.")
def explain(
    method: str, path: str, user: str | None, ip: str | None, device: str, at: str | None, config: Path, as_json: bool
) -> int:
    """Say what would happen to a request, and why; changes nothing.

    Which rule holds, each signal's points by name, the score against the thresholds, and the decision, by the code that
    decides about live requests. PATH is written as a client sends it: percent-encoded, with the app's mount point.
    """
    from .forecast import Asked, forecast

    asked = Asked.of(method, path, user=user, ip=ip, device=device, at=at)
    found = service.look(config, lambda services: forecast(services, asked))
    if as_json:
        say_json(_as_json(asked.method, path, found))
    else:
        _show(asked.method, path, user, found)
    return 0


def _as_json(method: str, path: str, found: Forecast) -> dict[str, object]:
    risk, findings = found.assessment, found.visit.findings if found.visit else {}
    return {
        "method": method,
        "path": path,
        "sensitive": found.sensitive,
        "rule": rule_json(found.rule) if found.rule else None,
        "reading": found.reading,
        "nearest": found.nearest.name if found.nearest else None,
        "risk": {**risk.as_line(), "signals": dict(risk.signals)} if risk else None,
        "findings": {name: {"points": each.points, "words": str(each)} for name, each in findings.items()},
        "geo": found.visit.where.geo.as_line() if found.visit and found.visit.where.geo else None,
        "decision": found.decision,
        "would": found.would,
        "reason": found.reason,
        "status": found.status,
        "why": found.why,
        "notes": list(found.notes),
    }


def _show(method: str, path: str, user: str | None, found: Forecast) -> None:
    who = f"as {safe(user, 256)}" if user else "as nobody"
    say(f"{paint(safe(f'{method} {path}'), bold=True)} {who}")
    say()
    color = COLORS.get(found.decision, "red")
    status = f" {found.status}" if found.status else ""
    lines = [("rule", _rule_text(found))]
    if found.assessment is not None:
        lines.append(("score", _score_text(found.assessment, found.visit.findings if found.visit else {})))
    if found.visit is not None and found.visit.where.address.ip is not None:
        lines.append(("from", _origin_text(found.visit.where)))
    lines.append(("decision", f"{paint(found.decision.upper() + status, color, bold=True)}  {found.why}"))
    lines += [("note", note) for note in found.notes]
    say(fields(lines))


def _rule_text(found: Forecast) -> str:
    if found.rule is None:
        near = f"; nearest is {_rule_line(found.nearest)}" if found.nearest else ""
        return f"{paint('none', bold=True)}{near}"
    reading = f"\nmatched as {safe(found.reading)}" if found.reading != found.path else ""
    terms = f"challenge {found.rule.challenge}, grant {found.rule.grant}, mode {found.rule.mode}"
    return f"{_rule_line(found.rule)}\n{paint(terms, dim=True)}{reading}"


def _rule_line(rule: Rule) -> str:
    return f"{paint(safe(rule.name), bold=True)}  {methods_text(rule)} {safe(rule.path)}"


def _score_text(assessment: Assessment, findings: Mapping[str, Finding]) -> str:
    limits = f"a code from {assessment.challenge_at}, refused from {assessment.deny_at}"
    total = sum(assessment.signals.values())
    limits += f"; the points are {total}, and a score ends at {assessment.score}" if total > assessment.score else ""
    rows = [f" {assessment.signals['route']:<3} route"]
    width = max((len(name) for name in findings), default=0)
    for name, each in findings.items():
        points = f"+{each.points:<3}" if each.points else "    "
        words = paint(safe(str(each)), "red" if each.failed else None, dim=not each.failed)
        rows.append(f"{points} {safe(name).ljust(width)}  {words}")
    return "\n".join([f"{paint(str(assessment.score), bold=True)}  {paint(limits, dim=True)}", *rows])


def _origin_text(where: Whereabouts) -> str:
    """``203.0.113.9, London, GB, AS64500``"""
    geo = where.geo
    asn = f"AS{geo.asn}" if geo is not None and geo.asn is not None else ""
    place = (geo.name or "no place known") if geo is not None else ""
    return ", ".join(part for part in (safe(where.address.ip), safe(place), asn, safe(where.doubt)) if part)
