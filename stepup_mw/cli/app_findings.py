"""What ``check --app`` has found out about an app, and which of it is a finding; as values and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..congruence.coverage import Coverage, RouteCover, RuleUse
from ..congruence.hunt import Finding, Tally
from ..congruence.operators import OPERATORS
from ..congruence.spelling import curl
from . import reading
from .failure import FOUND


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
    found = {"kind": "uncovered", "route": cover.route.path, "methods": list(cover.missing)}
    return found | {"handler": cover.route.handler, "message": f"{what} {cover.route.path} {_why(cover)}"}


def _why(cover: RouteCover) -> str:
    if cover.route.kind == "mount":
        return "may change state (what stands there cannot be read), and no rule covers it"
    if cover.route.kind == "websocket":
        return "may change state (a WebSocket of that name), and no rule covers it"
    sure = "changes state" if cover.route.methods is not None else "may change state (it answers every method)"
    return f"{sure}, and no rule covers it" + ("" if cover.tried else "; none of the paths tried reached it")


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
        "tried": cover.tried,
        "rules": sorted({name for met in cover.rules.values() for name in met if name}),
        "missing": list(cover.missing),
        "asks_itself": route.asks,
    }
