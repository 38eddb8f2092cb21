"""What an auditor gets of a drill: one Markdown file that reads well as it is, and the same as a JSON value."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..encoding import format_instant, safe_text
from .lab import service_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .values import Drill, Result, Verdict

SIGNS: dict[Verdict, str] = {"held": "held", "broke": "DID NOT HOLD", "not_run": "not run"}

FAMILIES = {
    "crash": "Crashes",
    "disk": "Disks that refuse",
    "processes": "Several processes, and hands on the file",
    "anchors": "Anchors that are down",
    "tampering": "Tampering",
    "marking": "Drill and evidence",
}

_INTRO = """\
A drill puts trails of its own, made by the same code and with the same settings as the service's, through crashes,
failing disks, several processes and forgery, on the machine and the file system where the service runs. It never
touches the service's own trail, but for two lines in it that say that a drill was held; what is forged of that is a
copy, which was removed. Every line of a drill names the service `{service}`, a name that no service can have, and its
checkpoints were signed with a key that was made for the drill and destroyed with it."""

_LIMITS = """\
- That a disk keeps what it says it has synced. A killed process loses nothing that the system holds; a power cut may.
- What an attacker with the signing key can do: sign another history after the last checkpoint that an anchor holds.
- The anchors that are configured: no drill sends anything to them. `stepup verify --anchors` asks what they hold, and
  `stepup check --worm` whether a bucket keeps its locks."""


def render(drill: Drill) -> str:
    """The whole report."""
    return "\n".join(_lines(drill)) + "\n"


def _lines(drill: Drill) -> Iterator[str]:
    yield f"# Drill of the audit trail of {_text(drill.service)}"
    yield ""
    yield f"**{headline(drill)}**"
    yield ""
    yield _INTRO.format(service=service_of(drill.service))
    yield ""
    yield from _table(("", ""), _facts(drill))
    yield ""
    yield "## What held"
    yield ""
    rows = [(_text(r.scenario.title), f"{r.tried:,}", SIGNS[r.verdict], f"{r.seconds:.1f}") for r in drill.results]
    yield from _table(("what was done", "cases", "result", "seconds"), rows)
    for family, results in groupby(drill.results, key=lambda result: result.scenario.family):
        yield ""
        yield f"## {FAMILIES.get(family, family)}"
        for result in results:
            yield from _result(result)
    yield ""
    yield "## What a drill does not show"
    yield ""
    yield _LIMITS
    yield ""
    yield "## How this report is on record"
    yield ""
    yield "The service's trail holds the lines `drill/begun` and `drill/ended` of this drill,"
    yield f"`{drill.drill_id}`. The second has the SHA-256 of this file:"
    yield "what `stepup tail --type drill --json` shows and `sha256sum` of this file must agree."


def headline(drill: Drill) -> str:
    """The verdict in a sentence."""
    missing = drill.count("not_run")
    left = f"; {missing} not run" if missing else ""
    if drill.verdict == "broke":
        where = f"{drill.count('broke')} of {_count(len(drill.results), 'scenario')}"
        return f"{drill.broken:,} of {_count(drill.cases, 'case')} did not hold, in {where}{left}"
    if drill.verdict == "not_run":
        return "Nothing could be run"
    return f"{_count(drill.cases, 'case')} in {_count(drill.count('held'), 'scenario')}, all of them held{left}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _facts(drill: Drill) -> list[tuple[str, str]]:
    return [
        ("drill", f"`{drill.drill_id}`"),
        ("begun", format_instant(drill.begun)),
        ("ended", format_instant(drill.ended)),
        ("configuration", _text(drill.config)),
        *((name, _text(value)) for name, value in drill.place),
        ("seed", f"{drill.seed} (`--seed {drill.seed}` chooses the same cases)"),
    ]


def _result(result: Result) -> Iterator[str]:
    yield ""
    yield f"### {_text(result.scenario.title)}"
    yield ""
    if result.verdict == "not_run":
        yield f"- **not run**: {_text(result.said)}"
        return
    yield f"- **{SIGNS[result.verdict]}**: {_count(result.tried - result.broken, 'case')} of {result.tried:,} held"
    yield f"- *Promised:* {_text(result.scenario.promise)}."
    if result.said:
        yield f"- *Seen:* {_text(result.said)}."
    for finding in result.findings:
        yield f"- **{_text(finding.case)}**: {_text(finding.why)}"
    if result.broken > len(result.findings):
        yield f"- … and {result.broken - len(result.findings):,} more"


def _table(heads: tuple[str, ...], rows: list[Any]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _text(text: str) -> str:
    """Text from outside as it may stand in Markdown."""
    return safe_text(text, 400).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def as_json(drill: Drill) -> dict[str, Any]:
    """The same as a value for a program."""
    return {
        "drill": drill.drill_id,
        "verdict": drill.verdict,
        "service": drill.service,
        "begun": format_instant(drill.begun),
        "ended": format_instant(drill.ended),
        "seed": drill.seed,
        "place": dict(drill.place),
        "cases": drill.cases,
        "broken": drill.broken,
        "scenarios": [_as_json(result) for result in drill.results],
    }


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "name": result.scenario.name,
        "family": result.scenario.family,
        "title": result.scenario.title,
        "promise": result.scenario.promise,
        "verdict": result.verdict,
        "cases": result.tried,
        "broken": result.broken,
        "said": result.said,
        "findings": [{"case": finding.case, "why": finding.why} for finding in result.findings],
        "seconds": round(result.seconds, 3),
    }
