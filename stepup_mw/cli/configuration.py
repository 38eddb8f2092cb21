"""``check``: validates a configuration and shows what it says; with an app, holds it against that."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..encoding import format_duration, format_size
from ..errors import ConfigError
from . import service
from .program import command
from .screen import fields, paint, problem_json, safe, say, say_json, show_problem, table

if TYPE_CHECKING:
    from ..config import Config
    from ..policy import Rule
    from ..settings import GeoSettings, Settings, SignalSpec, TrailSettings


@command("check")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of stepup.toml, for editors, and check nothing.")
@click.option("--worm", is_flag=True, help="Try whether the buckets of the anchors really keep their locks.")
@click.option("--app", metavar="MODULE:APP", help="Hold the policy against this app's own routes and router.")
@click.option("--factory", is_flag=True, help="MODULE:APP is a function without arguments that makes the app.")
@click.option(
    "--spellings",
    type=click.IntRange(0),
    default=2000,
    show_default=True,
    help="With --app: random mixtures of spellings to try, beside each spelling alone.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="With --app: the same seed tries the same.")
def check(
    schema: bool,
    worm: bool,
    app: str | None,
    factory: bool,
    spellings: int,
    seed: int,
    config: Path,
    as_json: bool,
) -> int:
    """Validate the configuration and show what it says.

    Reads the file, the keys it names and your own callables, and opens nothing else. Exit code 2 with every mistake;
    warnings alone give 0. --worm stores a small object under a lock of a minute in each bucket and tries to delete it,
    to shorten its lock and to weaken it; exit code 1 if any of that works. Use the strongest credentials you have.

    --app imports the app and asks its own router, running no handler and no middleware: which rule covers each route,
    which routes that change state no rule covers, which rules hold for nothing, and whether any spelling of a request
    reaches a covered handler past its rule. Exit code 1 for a finding. check.public names routes that need no rule.
    """
    if schema:
        from ..config.schema import schema as make_schema

        say_json(make_schema(), pretty=True)
        return 0
    loaded = service.read(config)
    if worm:
        from .anchors import check_worm

        return check_worm(loaded.settings, as_json=as_json)
    _import_callables(config, loaded)
    if app:
        return _check_app(config, loaded, app, factory=factory, rounds=spellings, seed=seed, as_json=as_json)
    if as_json:
        say_json(_summary(loaded))
    else:
        _show_summary(config, loaded)
    return 0


def _check_app(path: Path, loaded: Config, app: str, *, factory: bool, rounds: int, seed: int, as_json: bool) -> int:
    from . import app_check, reading

    found = app_check.run(loaded.settings, reading.read(app, factory=factory), rounds=rounds, seed=seed, quiet=as_json)
    if as_json:
        say_json(_summary(loaded) | app_check.as_json(found))
    else:
        _show_valid(path, loaded)
        app_check.show(found)
        _show_warnings(loaded)
    return found.exit_code


def _import_callables(path: Path, config: Config) -> None:
    """ConfigError where a provider or signal of the user's cannot be imported; no file is opened."""
    from ..config import place_problems
    from ..parts import make_services
    from ..stores.memory import MemoryStore
    from ..trail import Trail

    settings = config.settings
    trail = Trail(settings.trail, service=settings.service, clock=time.time, random=os.urandom)
    service.add_import_path(Path.cwd())
    try:
        make_services(settings, MemoryStore(), trail, time.time)
    except ConfigError as error:
        raise place_problems(config, error, source=str(path)) from error


def _summary(config: Config) -> dict[str, Any]:
    settings, geo = config.settings, config.settings.geo
    return {
        "valid": True,
        "service": settings.service,
        "policy": settings.policy_version,
        "identity": {"provider": settings.identity.provider, "trusted_proxies": settings.identity.trusted_proxies},
        "routes": [rule_json(rule) for rule in settings.rules],
        "risk": {
            "challenge_at": settings.risk.challenge_at,
            "deny_at": settings.risk.deny_at,
            "signals": {signal.name: signal.points for signal in settings.risk.signals},
        },
        "geo": [str(source) for source in (geo.database, geo.asn_database) if source] if geo is not None else None,
        "prefix": settings.challenge.prefix,
        "store": settings.store_url,
        "audit": {
            "path": str(settings.trail.path),
            "durability": settings.trail.durability,
            "on_failure": settings.trail.on_failure,
            "signed": settings.trail.signing_key_file is not None,
            "anchors": [anchor.name for anchor in settings.trail.anchors],
        },
        "warnings": [problem_json(warning) for warning in config.warnings],
    }


def rule_json(rule: Rule) -> dict[str, Any]:
    """A rule as JSON: the keys of ``[[routes]]``, seconds for ``max_age``; what is only for some, where it is said."""
    said = {"acr": list(rule.acr), "amr": list(rule.amr), "stream_max_age_s": rule.stream_max_age_s}
    return {
        "name": rule.name,
        "path": rule.path,
        "methods": sorted(rule.methods) if rule.methods is not None else None,
        "risk": rule.risk,
        "challenge": rule.challenge,
        "max_age_s": rule.max_age_s,
        "grant": rule.grant,
        "factors": list(rule.factors),
        "mode": rule.mode,
        **{name: value for name, value in said.items() if value},
    }


def _show_summary(path: Path, config: Config) -> None:
    settings = config.settings
    _show_valid(path, config)
    say()
    headers = ("", "route", "methods", "path", "risk", "challenge", "max_age", "grant", "mode")
    rows = [_route_row(number, rule) for number, rule in enumerate(settings.rules, 1)]
    say(table(headers, rows, right=frozenset({"", "risk", "max_age"})))
    say()
    say(fields(_facts(settings)))
    _show_warnings(config)


def _show_valid(path: Path, config: Config) -> None:
    name = config.settings.service
    say(f"{paint('✓', 'green', bold=True)} {paint(str(path), bold=True)} is valid: service {name}")


def _show_warnings(config: Config) -> None:
    if config.warnings:
        say()
    for warning in config.warnings:
        say(f"{paint('warning:', 'yellow', bold=True)} {show_problem(warning)}")


def _route_row(number: int, rule: Rule) -> tuple[str, ...]:
    return (
        paint(str(number), dim=True),
        paint(safe(rule.name), bold=True),
        methods_text(rule),
        safe(rule.path),
        str(rule.risk),
        rule.challenge,
        format_duration(rule.max_age_s),
        rule.grant,
        rule.mode if rule.mode == "enforce" else paint(rule.mode, "yellow"),
    )


def methods_text(rule: Rule) -> str:
    return ",".join(sorted(rule.methods)) if rule.methods is not None else "every"


def _facts(settings: Settings) -> list[tuple[str, str]]:
    identity, risk = settings.identity, settings.risk
    who = f"{identity.provider} {identity.user}".strip()
    trusted = f", believed from {', '.join(identity.trusted_proxies)}" if identity.trusted_proxies else ""
    signals = ", ".join(_signal_text(signal) for signal in risk.signals) or "no signals"
    geo = [("geo", _geo_text(settings.geo))] if settings.geo is not None else []
    return [
        ("identity", f"{who}{trusted}"),
        ("risk", f"a code from {risk.challenge_at} points, refused from {risk.deny_at}; {signals}"),
        *geo,
        ("pages", f"{settings.challenge.prefix}/"),
        ("store", settings.store_url),
        ("audit", _trail_text(settings.trail)),
        ("policy", settings.policy_version),
    ]


def _signal_text(signal: SignalSpec) -> str:
    own = f" ({signal.params['call']})" if "call" in signal.params else ""
    return f"{signal.name} +{signal.points}{own}"


def _geo_text(geo: GeoSettings) -> str:
    return "\n".join(str(source) for source in (geo.database, geo.asn_database) if source is not None)


def _trail_text(trail: TrailSettings) -> str:
    size = [format_size(trail.rotate_size)] if trail.rotate_size else []
    age = [format_duration(trail.rotate_every_s)] if trail.rotate_every_s else []
    turn = f"a new segment after {' or '.join(size + age)}" if size or age else "one segment, never rotated"
    signed = "checkpoints signed" if trail.signing_key_file else "no checkpoints"
    anchored = "".join(f"\nanchored at {anchor.name}" for anchor in trail.anchors)
    return f"{trail.path}\n{trail.durability} durability, {turn}, {signed}{anchored}"
