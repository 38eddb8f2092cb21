"""What a drill shows while it runs: one row a scenario, by family, and what it found below."""

# ruff: noqa: PLC0415 (the help of a command must not load the drill)

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .screen import clip, fields, pad, paint, safe, say, say_json, terminal_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..drill.run import Order
    from ..drill.values import Drill, Result, Scenario

_SIGNS = {"held": ("✓", "green"), "broke": ("✗", "red"), "not_run": ("·", "yellow")}
_WORDS = {"held": "HELD", "broke": "DID NOT HOLD", "not_run": "NOT RUN"}
_FINDINGS = 3


class Scoreboard:
    """Rows as they come; nothing where it is not ``shown``."""

    def __init__(self, *, shown: bool) -> None:
        from ..drill.catalogue import SCENARIOS

        self._shown = shown
        self._family = ""
        self._width = terminal_width()
        self._title = min(max(len(scenario.title) for scenario in SCENARIOS), self._width - 24)

    def begin(self, drill_id: str, order: Order, place: Sequence[tuple[str, str]]) -> None:
        if self._shown:
            say(f"drill of the trail of {paint(safe(order.settings.service), bold=True)}  {paint(drill_id, dim=True)}")
            say(paint(f"in {safe(order.scratch)}; {safe(dict(place)['file system'])}; seed {order.seed}", dim=True))

    def enter(self, scenario: Scenario) -> None:
        if not self._shown or scenario.family == self._family:
            return
        heads = "" if self._family else f"{'cases':>{max(5, self._title + 9 - len(scenario.family))}}{'time':>8}"
        self._family = scenario.family
        say(f"\n{paint(self._family, bold=True)}{paint(heads, dim=True)}")

    def add(self, result: Result) -> None:
        if not self._shown:
            return
        sign, color = _SIGNS[result.verdict]
        title = pad(clip(result.scenario.title, self._title), self._title)
        cases = pad(f"{result.tried:,}" if result.tried else "", 6, right=True)
        say(f"  {paint(sign, color, bold=True)} {title} {cases}  {paint(f'{result.seconds:5.1f} s', dim=True)}")
        if result.said:
            why = f"not run: {result.said}" if result.verdict == "not_run" else result.said
            say(f"    {paint(clip(safe(why), self._width - 4), dim=True)}")
        for finding in result.findings[:_FINDINGS]:
            say(f"    {paint(safe(finding.case), color)}: {safe(finding.why)}")
        if result.broken > _FINDINGS:
            say(f"    {paint(f'… and {result.broken - _FINDINGS:,} more', dim=True)}")

    def kept(self, folder: Path) -> None:
        if self._shown:
            say(f"\nkept: {paint(safe(folder), bold=True)}")


def show_list(scenarios: Sequence[Scenario], *, as_json: bool) -> None:
    """The scenarios as they are described."""
    if as_json:
        say_json([{"name": s.name, "family": s.family, "title": s.title, "promise": s.promise} for s in scenarios])
        return
    family = ""
    for scenario in scenarios:
        if scenario.family != family:
            say(f"{chr(10) if family else ''}{paint(scenario.family, bold=True)}")
            family = scenario.family
        say(f"  {paint(pad(scenario.name, 16), 'cyan')} {scenario.title}")
        say(f"  {' ' * 16} {paint(scenario.promise, dim=True)}")


def show_end(held: Drill, file: Path, digest: str, *, as_json: bool) -> None:
    """The verdict, and where the report is."""
    from ..drill.report import as_json as as_value
    from ..drill.report import headline

    if as_json:
        say_json({**as_value(held), "report": str(file), "sha256": digest})
        return
    sign, color = _SIGNS[held.verdict]
    say(f"\n{paint(f'{sign} {_WORDS[held.verdict]}', color, bold=True)}  {headline(held)}")
    say()
    record = "drill/begun and drill/ended, with the report's SHA-256, stand in your trail"
    say(fields([("report", safe(file)), ("sha256", digest), ("record", record)]))
