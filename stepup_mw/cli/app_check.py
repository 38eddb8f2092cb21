"""``check --app``: the policy held against an app. Its routes, its rules, and spellings that might get past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..congruence.coverage import Coverage, RouteCover, RuleUse, methods_of
from ..congruence.hunt import Finding, Hunt, Tally
from ..congruence.operators import OPERATORS
from ..congruence.spelling import curl
from ..policy import Policy
from ..settings import Settings
from . import reading
from .failure import FOUND
from .progress import progress
from .screen import paint, safe, say, table


class Checked(NamedTuple):
    """All that was found out about an app."""

    app: reading.App
    coverage: Coverage
    tally: Tally
    seed: int
    rounds: int

    @property
    def problems(self) -> list[dict[str, Any]]:
        return list(_problems(self))

    @property
    def exit_code(self) -> int:
        return FOUND if self.problems else 0


def run(settings: Settings, app: reading.App, *, rounds: int, seed: int, quiet: bool) -> Checked:
    """Hold the policy against the app."""
    policy = Policy(settings.rules, settings.challenge.prefix)
    hunt = Hunt(app.router, policy)
    with progress("spellings", wanted=not quiet) as advance:
        tally = hunt.run(rounds, seed, (lambda done: advance(done, rounds)) if advance else lambda _: None)
    return Checked(app, Coverage(app.router, policy, settings.public), tally, seed, rounds)


def _problems(checked: Checked) -> Iterator[dict[str, Any]]:
    """Everything for which the exit code is 1."""
    for cover in checked.coverage.routes:
        if cover.missing:
            yield _uncovered(cover)
    for use in checked.coverage.rules:
        if not use.routes:
            yield _unused(use)
    for finding in checked.tally.findings:
        yield _spelt(finding)


def _uncovered(cover: RouteCover) -> dict[str, Any]:
    what = ",".join(cover.missing)
    message = f"{what} {cover.route.path} changes state and no rule covers it"
    found = {"kind": "uncovered", "route": cover.route.path, "methods": list(cover.missing)}
    return found | {"handler": cover.route.handler, "message": message}


def _unused(use: RuleUse) -> dict[str, Any]:
    found = {"rule": use.rule.name, "path": use.rule.path}
    if use.by:
        message = f"the rule {use.rule.name} never holds: {use.by} comes first and takes all that it could hold for"
        return {"kind": "shadowed", **found, "by": use.by, "message": message}
    near = f"; {use.note}" if use.note else f"; did you mean {use.near}?" if use.near else ""
    message = f"the rule {use.rule.name} ({use.rule.path}) matches none of the app's routes{near}"
    return {"kind": "unused", **found, "near": use.near or None, "message": message}


def _spelt(finding: Finding) -> dict[str, Any]:
    spelling, operators = finding.spelling, " + ".join(finding.operators) or "plainly"
    how = "passes unseen" if finding.verdict.kind == "pass" else "meets a weaker rule"
    message = f"{spelling.method} {spelling.target} ({operators}) reaches {finding.route.path} and {how}"
    headers = [list(header) for header in spelling.headers]
    return {
        "kind": "spelling",
        "route": finding.route.path,
        "handler": finding.route.handler,
        "rule": finding.rule.name,
        "met": finding.verdict.rule.name if finding.verdict.rule else None,
        "operators": list(finding.operators),
        "server": finding.server,
        "request": {
            "method": spelling.method,
            "target": spelling.target,
            "headers": headers,
            "kind": spelling.kind,
            "root_path": spelling.root_path,
        },
        "curl": curl(spelling),
        "message": message,
    }


def as_json(checked: Checked) -> dict[str, Any]:
    """What ``check --json`` says beside the summary of the policy."""
    tally, router = checked.tally, checked.app.router
    return {
        "app": {
            "name": checked.app.name,
            "framework": router.framework,
            "interface": router.interface,
            "root_path": router.root_path,
            "around": list(checked.app.around),
            "routes": [_route_json(cover) for cover in checked.coverage.routes],
        },
        "rules": [
            {"name": use.rule.name, "path": use.rule.path, "routes": list(use.routes), "shadowed_by": use.by or None}
            for use in checked.coverage.rules
        ],
        "spellings": {
            "tried": tally.tried,
            "reached": tally.reached,
            "held": tally.held,
            "failed": tally.failed,
            "mixtures": checked.rounds,
            "seed": checked.seed,
            "operators": {operator.name: tally.by_operator.get(operator.name, 0) for operator in OPERATORS},
        },
        "findings": checked.problems,
    }


def _route_json(cover: RouteCover) -> dict[str, Any]:
    route = cover.route
    return {
        "path": route.path,
        "methods": sorted(route.methods) if route.methods is not None else None,
        "handler": route.handler,
        "kind": route.kind,
        "state": cover.state,
        "rules": sorted({name for met in cover.rules.values() for name in met if name}),
        "missing": list(cover.missing),
    }


_MARKS = {
    "covered": ("✓", "green"),
    "partly": ("✗", "red"),
    "gap": ("✗", "red"),
    "public": ("○", None),
    "open": ("·", None),
    "unreached": ("?", "yellow"),
}


def show(checked: Checked) -> None:
    """For a person: routes, rules, spellings, and each finding."""
    router = checked.app.router
    around = f", inside {', '.join(safe(name, 60) for name in checked.app.around)}" if checked.app.around else ""
    say(f"{paint(safe(checked.app.name), bold=True)} is {router.framework} ({router.interface.upper()}){around}")
    say()
    say(table(("", "route", "methods", "handler", "policy"), [_row(cover) for cover in checked.coverage.routes]))
    say()
    _show_rules(checked.coverage.rules)
    _show_spellings(checked)
    _show_findings(checked.problems)


def _row(cover: RouteCover) -> tuple[str, ...]:
    mark, color = _MARKS[cover.state]
    quiet = cover.state in ("open", "public")
    route = cover.route
    kind = paint("  WebSocket" if route.kind == "websocket" else "  mount" if route.kind == "mount" else "", dim=True)
    return (
        paint(mark, color, bold=color is not None, dim=color is None),
        paint(safe(route.path, 60), dim=quiet) + kind,
        paint(_methods_text(route.methods), dim=quiet),
        paint(safe(_short(route.handler), 40), dim=True),
        _policy_text(cover),
    )


def _methods_text(methods: frozenset[str] | None) -> str:
    if methods is None:
        return "every"
    return ",".join(sorted(method for method in methods if method != "HEAD" or "GET" not in methods))


def _short(handler: str) -> str:
    """The last two names."""
    return ".".join(handler.split(".")[-2:])


def _policy_text(cover: RouteCover) -> str:
    names = list(dict.fromkeys(name for met in cover.rules.values() for name in met if name))
    text = ", ".join(paint(safe(name, 40), bold=True) for name in names)
    if cover.missing:
        lacks = f"none for {','.join(cover.missing)}" if names else "none, and it changes state"
        return f"{text}{', ' if text else ''}{paint(lacks, 'red')}"
    if cover.state == "partly":
        return f"{text}, {paint('for some of its requests', 'yellow')}"
    if cover.state == "unreached":
        return paint("the app sends its requests elsewhere", "yellow")
    if not names:
        below = cover.route.kind == "mount" and cover.route.methods is None
        return paint("public, as check.public says" if cover.state == "public" else "cannot be read" if below else "-",
                     dim=True)  # fmt: skip
    return text + _only(cover)


def _only(cover: RouteCover) -> str:
    """For a route that answers every method: those that the rule is about."""
    if cover.route.methods is not None:
        return ""
    met = [method for method in methods_of(cover.route) if "" not in cover.rules.get(method, ("",))]
    return paint(f"  ({','.join(met)})", dim=True) if len(met) < len(methods_of(cover.route)) else ""


def _show_rules(uses: Sequence[RuleUse]) -> None:
    good = sum(1 for use in uses if use.routes)
    color = "green" if good == len(uses) else "red"
    count = paint(f"{good} of {len(uses)}", color, bold=True)
    say(f"{paint('rules', dim=True)}      {count} hold for a route of the app")


def _show_spellings(checked: Checked) -> None:
    tally = checked.tally
    held = paint(f"{tally.held:,}", "green" if not tally.findings else "yellow", bold=True)
    text = f"{tally.tried:,} tried ({len(OPERATORS)} operators, {checked.rounds:,} mixtures, seed {checked.seed})"
    say(f"{paint('spellings', dim=True)}  {text}; {held} reached a covered handler and met its rule")


def _show_findings(problems: Sequence[dict[str, Any]]) -> None:
    say()
    if not problems:
        say(f"{paint('✓', 'green', bold=True)} no gap found")
        return
    count = f"{len(problems)} finding{'s' if len(problems) > 1 else ''}"
    say(paint(count, "red", bold=True))
    for problem in problems:
        say(f"  {paint('✗', 'red', bold=True)} {safe(problem['message'])}")
        if "curl" in problem:
            say(f"      {paint(safe(problem['curl']), dim=True)}")
