"""``explain``: what would happen to a request, by the code that decides about live ones."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import service
from .configuration import methods_text, rule_json
from .program import command
from .screen import fields, paint, safe, say, say_json

if TYPE_CHECKING:
    from ..policy import Rule
    from .forecast import Forecast

COLORS = {"pass": "green", "allow": "green", "challenge": "yellow", "login": "yellow"}
"""The rest is refused, in red."""


@command("explain")
@click.argument("method")
@click.argument("path")
@click.option("--user", help="Who asks; left out: nobody is logged in.")
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
    risk = found.assessment
    return {
        "method": method,
        "path": path,
        "sensitive": found.sensitive,
        "rule": rule_json(found.rule) if found.rule else None,
        "reading": found.reading,
        "nearest": found.nearest.name if found.nearest else None,
        "risk": {**risk.as_line(), "signals": dict(risk.signals)} if risk else None,
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
        lines.append(("score", _score_text(found)))
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


def _score_text(found: Forecast) -> str:
    assessment = found.assessment
    if assessment is None:
        return ""
    limits = f"a code from {assessment.challenge_at}, refused from {assessment.deny_at}"
    names: Sequence[tuple[str, int]] = list(assessment.signals.items())
    points = [f"{'+' if index else ' '}{value:<3} {safe(name)}" for index, (name, value) in enumerate(names)]
    return "\n".join([f"{paint(str(assessment.score), bold=True)}  {paint(limits, dim=True)}", *points])
