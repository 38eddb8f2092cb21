"""The program: its commands by name, loaded when called, and the two options that every command takes.

Help loads nothing but click: a command's module is imported when it is called, and imports what it needs then.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from . import failure, screen

F = TypeVar("F", bound=Callable[..., Any])

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Entry(NamedTuple):
    """Where a command is, and its line in the list. ``function``: its name there, where it is not the command's."""

    module: str
    summary: str
    function: str = ""


SECTIONS: dict[str, dict[str, Entry]] = {
    "Begin": {
        "demo": Entry("serving", "See it work: a small bank, wrapped, with the audit lines below."),
        "init": Entry("beginning", "Write a commented stepup.toml and its keys."),
        "serve": Entry("serving", "Run your ASGI or WSGI app, wrapped, its code unchanged."),
    },
    "Policy": {
        "check": Entry("configuration", "Validate the configuration and show what it says."),
        "replay": Entry("replay", "Score a trail under another policy: who would have been asked."),
        "explain": Entry("explain", "Say what would happen to a request, and why; changes nothing."),
    },
    "People": {
        "enroll": Entry("factors", "Give a user an authenticator and recovery codes."),
        "import": Entry("importing", "Bring in authenticators that people have already.", "bring"),
        "users": Entry("factors", "List who has an authenticator, and who is locked."),
        "revoke": Entry("factors", "Take a user's authenticator, codes and grants away."),
        "unlock": Entry("factors", "Clear a user's failures and lock."),
        "code": Entry("factors", "Show a user's current code; for development only."),
        "grants": Entry("grants", "List a user's grants, the newest first."),
    },
    "Keys and store": {
        "keys": Entry("keys", "Show the secret keys by name, and rotate them."),
        "store": Entry("store", "Say whether the store lost what it knew, and accept it."),
    },
    "Audit trail": {
        "tail": Entry("tail", "Show the audit lines, one readable row each."),
        "verify": Entry("verify", "Check the audit trail: VERIFIED, or what is wrong and where."),
        "audit": Entry("audit", "Work on the audit trail itself."),
        "drill": Entry("drill", "Put the audit trail through what trails meet, and say what held."),
    },
}
COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


class Formatter(click.HelpFormatter):
    """Help with its headings in bold and its terms in colour."""

    def write_heading(self, heading: str) -> None:
        super().write_heading(screen.paint(heading, bold=True))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(screen.paint(term, "cyan"), text) for term, text in rows], col_max, col_spacing)


class ColorContext(click.Context):
    formatter_class = Formatter


class Program(click.Group):
    """The group of all commands. ``main`` never shows a traceback and always ends in SystemExit."""

    context_class = ColorContext

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(import_module(f"{__package__}.{entry.module}"), entry.function or cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"there is no command {screen.safe(args[0], 60)!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        width = max(map(len, COMMANDS))
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name.ljust(width), entry.summary) for name, entry in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """click would end with 1 when the reader of the output is gone; that is neither a finding nor an error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # what is left in the buffer must not fail again when the interpreter ends (docs.python.org, SIGPIPE)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return failure.BROKEN_PIPE
        return result

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> Any:
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra |= {"prog_name": "stepup", "standalone_mode": False, "color": screen.color_mode(os.environ)}
        sys.exit(_exit_code(lambda: super(Program, self).main(words, **extra), words))


def _exit_code(call: Callable[[], Any], words: Sequence[str]) -> int:
    cannot_run = failure.CANNOT_VERIFY if words[0] == "verify" else failure.USAGE
    as_json = "--json" in words
    try:
        found = call()
    except click.Abort:
        return failure.INTERRUPTED
    except failure.CommandError as error:
        failure.report(error, as_json=as_json)
        return error.exit_code if error.exit_code != failure.USAGE else cannot_run
    except Exception as error:  # noqa: BLE001 - whatever it is, a person sees a sentence and not a traceback
        failure.report(error, as_json=as_json)
        return cannot_run
    return found if isinstance(found, int) else 0


def common(command: F) -> F:
    """The options of every command: ``--config`` (as ``config``) and ``--json`` (as ``as_json``)."""
    command = click.option(
        "--config",
        type=click.Path(path_type=Path),
        default=Path("stepup.toml"),
        show_default=True,
        envvar="STEPUP_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="The configuration.",
    )(command)
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON, errors too.")(command)


def command(name: str, **settings: Any) -> Callable[[F], click.Command]:
    """Make a function a command that takes the common options; its docstring is the help."""
    context = SETTINGS | settings.pop("context_settings", {})

    def made(function: F) -> click.Command:
        return click.command(name, cls=Plain, context_settings=context, **settings)(common(function))

    return made


class Plain(click.Command):
    context_class = ColorContext


class Group(click.Group):
    """A command that has commands of its own; alone, it names them."""

    context_class = ColorContext

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args in ([], ["--json"]):
            raise click.UsageError(f"missing command: {', '.join(self.list_commands(ctx))}", ctx)
        return super().parse_args(ctx, args)


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415 - costs more than all the rest of the help

    click.echo(f"stepup-mw {version('stepup-mw')}")
    ctx.exit()


program = Program(
    name="stepup",
    context_settings=SETTINGS,
    help="Step-up authentication around your app, and an audit trail you can rely on.",
    epilog="Each command has its own --help. Exit codes: 0 good, 1 a finding, 2 usage or configuration.",
    params=[
        click.Option(
            ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="The version."
        )
    ],
)
