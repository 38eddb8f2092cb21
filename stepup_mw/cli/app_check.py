"""``check --app``: the policy held against an app. Its routes, its rules, and spellings that might get past."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..congruence.coverage import Coverage, RouteCover, RuleUse, methods_of
from ..congruence.hunt import Hunt
from ..congruence.operators import OPERATORS
from ..policy import Policy
from ..settings import Settings
from . import reading
from .app_findings import Checked, as_json
from .progress import progress
from .screen import paint, safe, say, table

__all__ = ["as_json", "run", "show"]


def run(settings: Settings, app: reading.App, *, rounds: int, seed: int, quiet: bool) -> Checked:
    """Hold the policy against the app."""
    policy = Policy(settings.rules, settings.challenge.prefix)
    hunt = Hunt(app.router, policy)
    with progress("spellings", wanted=not quiet) as advance, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Flask warns of each Host that is not its own
        tally = hunt.run(rounds, seed, (lambda done: advance(done, rounds)) if advance else lambda _: None)
        coverage = Coverage(app.router, policy, settings.public)
    return Checked(app, coverage, tally, seed, rounds)


_FRAMEWORKS = {
    "starlette": "Starlette",
    "fastapi": "FastAPI",
    "litestar": "Litestar",
    "quart": "Quart",
    "django": "Django",
    "flask": "Flask",
    "werkzeug": "Werkzeug",
}

_MARKS = {
    "covered": ("✓", "green"),
    "partly": ("✗", "red"),
    "gap": ("✗", "red"),
    "unread": ("✗", "red"),
    "public": ("○", None),
    "open": ("·", None),
    "unreached": ("?", "yellow"),
}


def show(checked: Checked) -> None:
    """For a person: routes, rules, spellings, and each finding."""
    router = checked.app.router
    around = f", inside {', '.join(safe(name, 60) for name in checked.app.around)}" if checked.app.around else ""
    name, _, rest = router.framework.partition(" ")
    framework = f"{_FRAMEWORKS.get(name, name)} {rest}".rstrip()
    say(f"{paint(safe(checked.app.name), bold=True)} is {framework} ({router.interface.upper()}){around}")
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
    kind = {"websocket": "  WebSocket", "mount": "  mount"}.get(route.kind, "")
    where = f"  at {safe(route.host, 40)}" if route.host else ""
    return (
        paint(mark, color, bold=color is not None, dim=color is None),
        paint(safe(route.path, 60), dim=quiet) + paint(kind + where, dim=True),
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
    doubt = "" if cover.tried or cover.state == "unreached" else paint("  none of the paths tried reached it", "yellow")
    return _held_by(cover) + doubt


def _held_by(cover: RouteCover) -> str:
    names = list(dict.fromkeys(name for met in cover.rules.values() for name in met if name))
    text = ", ".join(paint(safe(name, 40), bold=True) for name in names)
    if cover.missing:
        if cover.state == "unread":
            return paint("none, and it cannot be read", "red")
        is_sure = cover.route.methods is not None and cover.route.kind == "http"
        sure = "changes" if is_sure else "may change"
        lacks = f"none for {','.join(cover.missing)}" if names else f"none, and it {sure} state"
        return f"{text}{', ' if text else ''}{paint(lacks, 'red')}"
    if cover.state == "partly":
        return f"{text}, {paint('for some of its requests', 'yellow')}"
    if cover.state == "unreached":
        return paint("the app sends its requests elsewhere", "yellow")
    if not names and cover.route.asks:
        return paint("asks for a proof itself", "green")
    if not names:
        return paint("public, as check.public says" if cover.state == "public" else "-", dim=True)
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
