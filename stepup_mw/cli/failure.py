"""From an error to a message and an exit code: the only place where that happens, and never with a traceback.

Exit codes: 0 good, 1 a finding or nothing found, 2 usage, configuration or something unavailable, 130 interrupted,
141 the reader of the output went away. ``verify`` has its own, and 5 where it cannot run.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import click

from ..errors import ConfigError, StepUpError
from .screen import paint, problem_json, safe, say, say_json, show_problem

FOUND = 1
USAGE = 2
CANNOT_VERIFY = 5
INTERRUPTED = 130
BROKEN_PIPE = 141


class CommandError(StepUpError):
    """What the person asked for cannot be done; ``exit_code`` says in which way."""

    code = "command"

    def __init__(self, message: str, exit_code: int = USAGE) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def report(error: Exception, *, as_json: bool) -> None:
    """Say what is wrong: on stderr for a person, as ``{"error": …}`` on stdout for a program."""
    if as_json:
        say_json({"error": describe(error)}, pretty=False)
        return
    if isinstance(error, ConfigError):
        _report_config(error)
        return
    say(f"{paint('error:', 'red', bold=True)} {_message(error)}", to_stderr=True)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        say(paint(error.ctx.get_usage().replace("Usage:", "usage:"), dim=True), to_stderr=True)
        say(paint(f"more: {error.ctx.command_path} --help", dim=True), to_stderr=True)


def _report_config(error: ConfigError) -> None:
    count = len(error.problems)
    say(f"{paint('error:', 'red', bold=True)} {count} problem{'s' if count > 1 else ''}", to_stderr=True)
    for problem in error.problems:
        say(show_problem(problem), to_stderr=True)


def describe(error: Exception) -> dict[str, Any]:
    """``{"code", "message", "problems"}``; only a configuration has problems."""
    problems = [problem_json(problem) for problem in error.problems] if isinstance(error, ConfigError) else []
    return {"code": _code(error), "message": _message(error), "problems": problems}


def _code(error: Exception) -> str:
    if isinstance(error, StepUpError):
        return error.code
    if isinstance(error, click.ClickException):
        return "usage"
    return "system" if isinstance(error, OSError) else "bug"


def _message(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return "; ".join(safe(problem) for problem in error.problems)
    if isinstance(error, StepUpError):
        return safe(error)
    if isinstance(error, click.ClickException):
        text = safe(error.format_message())
        return text[:1].lower() + text[1:].rstrip(".")
    if isinstance(error, OSError):
        name = f"{safe(error.filename)}: " if error.filename else ""
        return f"{name}{error.strerror or type(error).__name__}"
    return _bug(error)


def _bug(error: Exception) -> str:
    """What nobody foresaw: enough for a report, and not a page of it."""
    if os.environ.get("STEPUP_DEBUG"):
        say(safe_lines(traceback.format_exception(error)), to_stderr=True)
    frame = (traceback.extract_tb(error.__traceback__) or [None])[-1]
    place = f" at {Path(frame.filename).name}:{frame.lineno}" if frame else ""
    return f"a bug in stepup: {type(error).__name__}{place}: {safe(error, 200)} (STEPUP_DEBUG=1 says more)"


def safe_lines(parts: list[str]) -> str:
    return "\n".join(safe(line) for part in parts for line in part.splitlines())
