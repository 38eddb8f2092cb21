"""What the command shows: colours where they are wanted, tables, and JSON. Every text from outside is made safe.

Colours are for terminals. ``NO_COLOR`` (no-color.org) and ``CLICOLOR=0`` take them away, ``FORCE_COLOR`` and
``CLICOLOR_FORCE`` bring them where there is no terminal; ``NO_COLOR`` wins.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ..encoding import safe_text
from ..errors import ConfigProblem

MAX_TEXT = 4096


def color_mode(environ: Mapping[str, str]) -> bool | None:
    """True: colours always; False: never; None: on a terminal."""
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0", "false") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return None


def say(text: str = "", *, to_stderr: bool = False) -> None:
    """One line. ``text`` may hold colours, put in by ``paint``; they are left out where they are not wanted."""
    click.echo(text, err=to_stderr, color=color_mode(os.environ))


def say_json(value: Any, *, pretty: bool | None = None) -> None:
    """A JSON value: indented for a person on a terminal, on one line for a program."""
    if pretty is None:
        pretty = sys.stdout.isatty()
    click.echo(json.dumps(value, indent=2 if pretty else None, ensure_ascii=True, default=str))


def warn(text: str) -> None:
    say(f"{paint('warning:', 'yellow', bold=True)} {text}", to_stderr=True)


def paint(text: str, color: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
    """Text in a colour; safe to call for what goes to a file, since ``say`` takes the colours out there."""
    return click.style(text, fg=color, bold=bold or None, dim=dim or None)


def safe(text: object, limit: int = MAX_TEXT) -> str:
    """Text from a line, a file or a store as it may stand on a terminal."""
    return safe_text(str(text), limit)


def terminal_width(default: int = 100) -> int:
    """Columns of the terminal; ``COLUMNS`` wins, ``default`` where there is none."""
    return max(40, shutil.get_terminal_size((default, 24)).columns)


def width_of(text: str) -> int:
    """Columns that a text takes: two for a wide character, none for a combining one or a colour."""
    plain = click.unstyle(text)
    if plain.isascii():
        return len(plain)
    return sum(_columns(char) for char in plain)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Text filled up with spaces to ``width`` columns."""
    space = " " * max(0, width - width_of(text))
    return space + text if right else text + space


def clip(text: str, width: int) -> str:
    """Plain text in at most ``width`` columns, an ellipsis where something is left out."""
    if width_of(text) <= width:
        return text
    kept, used = [], 1
    for char in text:
        used += _columns(char)
        if used > width:
            break
        kept.append(char)
    return "".join(kept) + "…"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[str] = frozenset()) -> str:
    """Rows under dim headers, each column as wide as its widest cell; those named in ``right`` stand right."""
    widths = [max(width_of(cell) for cell in column) for column in zip(headers, *rows, strict=True)]
    lines = [_row([paint(head, dim=True) for head in headers], headers, widths, right)]
    lines += [_row(row, headers, widths, right) for row in rows]
    return "\n".join(lines)


def _row(cells: Sequence[str], headers: Sequence[str], widths: Sequence[int], right: frozenset[str]) -> str:
    padded = [pad(cell, width, right=head in right) for cell, head, width in zip(cells, headers, widths, strict=True)]
    return "  ".join(padded).rstrip()


def fields(pairs: Sequence[tuple[str, str]], *, indent: int = 2) -> str:
    """Labels and values in two columns; a value of several lines goes on below itself."""
    width = max(len(label) for label, _ in pairs)
    lines = []
    for label, value in pairs:
        first, *rest = value.split("\n")
        lines.append(f"{' ' * indent}{paint(label.ljust(width), dim=True)}  {first}".rstrip())
        lines += [" " * (indent + width + 2) + line for line in rest]
    return "\n".join(lines)


def show_problem(problem: ConfigProblem) -> str:
    """``stepup.toml:12:8: routes[0].risk: found …``: place bold, key cyan."""
    place = problem.source if problem.line is None else f"{problem.source}:{problem.line}:{problem.column}"
    key = f" {paint(safe(problem.key), 'cyan')}:" if problem.key else ""
    return f"{paint(safe(place) + ':', bold=True)}{key} {safe(problem.message)}"


def problem_json(problem: ConfigProblem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("source", "line", "column", "key", "message")}
