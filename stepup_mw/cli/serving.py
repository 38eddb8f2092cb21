"""``serve`` runs the user's app behind the middleware, and ``demo`` one of our own."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic or a server)

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConfigError, ConfigProblem
from . import service
from .program import command
from .screen import fields, paint, problem_json, say, say_json, show_problem

if TYPE_CHECKING:
    from ..config import Config
    from .servers import Plan
    from .target import Interface

THREADS = 8


@command("serve")
@click.argument("app", metavar="MODULE:APP")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any free one.")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
@click.option("--interface", type=click.Choice(["auto", "asgi", "wsgi"]), default="auto", show_default=True)
@click.option("--factory", is_flag=True, help="MODULE:APP is a function without arguments that makes the app.")
def serve(
    app: str, host: str, port: int, workers: int, interface: str, factory: bool, config: Path, as_json: bool
) -> int:
    """Run your ASGI or WSGI app, wrapped, its code unchanged.

    ASGI runs on uvicorn, WSGI on gunicorn with threads. MODULE is looked for in the working directory first. Forwarded
    headers are read by the middleware only, from identity.trusted_proxies: the server hands on the socket's peer. The
    configuration is checked before anything listens. SIGHUP puts a changed policy in force.
    """
    from .servers import Plan, as_an_app_says, log_to_stderr, require_server, run
    from .target import probe

    loaded = service.read(config)
    _refuse_split_memory(loaded, config, workers)
    log_to_stderr(as_an_app_says(loaded.warnings, config))
    wanted: Interface | None = None if interface == "auto" else "asgi" if interface == "asgi" else "wsgi"
    chosen = probe(app, factory=factory, wanted=wanted)
    require_server(chosen)
    service.add_import_path(Path.cwd())
    plan = Plan(app=app, factory=factory, config=config.resolve(), interface=chosen, host=host, port=port)
    _announce(plan, loaded, workers, as_json=as_json)
    run(plan, workers=workers, threads=THREADS)
    return 0


def _refuse_split_memory(config: Config, path: Path, workers: int) -> None:
    if workers == 1 or not config.settings.store_url.startswith("memory:"):
        return
    message = f'memory:// works in one process, and --workers asks for {workers}; use "sqlite:///stepup.db"'
    raise ConfigError((ConfigProblem(source=str(path), key="store.url", message=message),))


def _announce(plan: Plan, config: Config, workers: int, *, as_json: bool) -> None:
    settings = config.settings
    if as_json:
        told = {"app": plan.app, "interface": plan.interface, "host": plan.host, "port": plan.port or None}
        warnings = [problem_json(problem) for problem in config.warnings]
        routes = [rule.name for rule in settings.rules]
        say_json({"service": settings.service, **told, "workers": workers, "routes": routes, "warnings": warnings})
        sys.stdout.flush()
        return
    for warning in config.warnings:
        say(f"{paint('warning:', 'yellow', bold=True)} {show_problem(warning)}", to_stderr=True)
    where = f"http://{f'[{plan.host}]' if ':' in plan.host else plan.host}:{plan.port or '(a free port)'}"
    count = len(settings.rules)
    many = f" in {workers} processes" if workers > 1 else ""
    lines = [
        ("app", f"{plan.app} ({plan.interface.upper()}){many}"),
        ("at", paint(where, bold=True)),
        (
            "routes",
            f"{count} sensitive: {', '.join(rule.name for rule in settings.rules[:6])}{' …' if count > 6 else ''}",
        ),
        ("audit", f"{settings.trail.path}  {paint('# stepup tail -f', dim=True)}"),
    ]
    say(f"{paint('stepup', bold=True)} guards {paint(settings.service, bold=True)}", to_stderr=True)
    say(fields(lines), to_stderr=True)


@command("demo")
@click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; a free port if left out.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where its files are, kept for the next time; new ones among the temporary files if left out.",
)
def demo(port: int | None, folder: Path | None, config: Path, as_json: bool) -> int:  # noqa: ARG001 - every command's
    """See it work: a small bank, wrapped, with the audit lines below.

    Prints where it listens, a user, a QR code and the current code, and at the end where its files are. It brings a
    configuration of its own: --config is not read. With --json, one object a line: how to get in, the audit lines, the
    verdict.
    """
    from ..demo import run

    result: Any = run(port=port, folder=folder, echo=_echo, as_json=as_json)
    return int(result or 0)


def _echo(text: str = "") -> None:
    say(text)
