"""``init``: a first configuration with its keys; with an app, rules for its sensitive routes."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .program import command
from .screen import paint, say, say_json

if TYPE_CHECKING:
    from .app_init import AppRoutes


@command("init")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where; made if it is missing."
)
@click.option("--service", "name", help="The name that stands in every audit line; the folder's if left out.")
@click.option("--app", metavar="MODULE:APP", help="Read this app's routes, and propose a rule for each sensitive one.")
@click.option("--factory", is_flag=True, help="MODULE:APP is a function without arguments that makes the app.")
def init(folder: Path, name: str | None, app: str | None, factory: bool, config: Path, as_json: bool) -> int:
    """Write a commented stepup.toml and its keys.

    Four files: the configuration, a secret key, a signing key for the audit trail, and its public half. Never writes
    over a file: if one of them exists, nothing is written. --app imports the app (nothing of it is run) and writes a
    rule for each route that looks sensitive, with a comment that says why.
    """
    from ..config.init import write_init

    folder.mkdir(parents=True, exist_ok=True)
    target = config if config.is_absolute() else folder / config
    chosen = name if name is not None else _service_name(folder)
    found = _read_routes(app, factory=factory) if app else None
    written = write_init(
        target.parent, chosen, random=os.urandom, config_name=target.name, **(found.proposed if found else {})
    )
    if as_json:
        say_json({"service": chosen, "written": [str(path) for path in written], **(found.as_json() if found else {})})
        return 0
    first = f"the configuration, with {found.said}" if found else "the configuration, with one example route"
    what = (first, "the secret key", "the key that signs the audit trail")
    meanings = [*what, "its public half: keep a copy elsewhere, `stepup verify` needs it"]
    width = max(len(str(path)) for path in written)
    for path, meaning in zip(written, meanings, strict=True):
        name = paint(str(path).ljust(width), bold=True)
        say(f"{paint('✓', 'green', bold=True)} {name}  {paint(meaning, dim=True)}")
    _show_next_steps(target, app)
    return 0


def _service_name(folder: Path) -> str:
    """The folder's name as far as it is one for a service, else ``app``."""
    letters = "".join(
        char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in folder.resolve().name
    )
    return letters.strip("-._")[:64] or "app"


def _read_routes(app: str, *, factory: bool) -> AppRoutes:
    from .app_init import AppRoutes
    from .reading import read

    return AppRoutes(read(app, factory=factory))


def _show_next_steps(target: Path, app: str | None) -> None:
    option = "" if target == Path("stepup.toml") else f" --config {target}"
    steps = (
        (f"$EDITOR {target}", "name your sensitive routes"),
        (f"stepup check{f' --app {app}' if app else ''}{option}", "see that they are right"),
        (f"stepup enroll alice{option}", "give somebody an authenticator"),
        (f"stepup serve {app or 'module:app'}{option}", "run your app behind it"),
    )
    width = max(len(line) for line, _ in steps)
    say()
    say("Next:")
    for line, why in steps:
        say(f"  {line.ljust(width)}  {paint('# ' + why, dim=True)}")
