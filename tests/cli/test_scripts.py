"""The command by example: each file of ``scripts/`` is a session, with what must be shown, line by line.

``$ stepup …`` runs the command; ``$ put FILE`` writes the lines ``> …`` below it. Then what is shown: stdout as it is,
stderr behind ``! ``, and ``? N`` the exit code where it is not 0. ``<>`` stands for any text, ``<…>`` for any lines.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import Run, write_service

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))

Step = tuple[str, list[str]]


def parse_script(text: str) -> list[Step]:
    steps: list[Step] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif steps and not line.startswith("#"):
            steps[-1][1].append(line)
    return [(command, strip_blank(shown)) for command, shown in steps]


def strip_blank(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def pattern_of(shown: list[str]) -> str:
    lines = ["(?s:.*)" if line == "<…>" else ".*".join(map(re.escape, line.split("<>"))) for line in shown]
    return "\n".join(lines)


def transcript(stepup: Run, command: str) -> str:
    arguments, _, stdin = command.removeprefix("stepup").partition(" <<< ")
    ran = stepup(arguments.strip(), stdin=f"{stdin}\n" if stdin else "")
    lines = [*ran.out.splitlines(), *(f"! {line}".rstrip() for line in ran.err.splitlines())]
    return "\n".join(strip_blank([*lines, f"? {ran.code}"] if ran.code else lines))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path, folder: Path, stepup: Run) -> None:
    for command, shown in parse_script(script.read_text("utf-8")):
        if command == "service":
            write_service(folder)
        elif command.startswith("put "):
            (folder / command[4:]).write_text("".join(line[2:] + "\n" for line in shown))
        else:
            found = transcript(stepup, command)
            assert re.fullmatch(pattern_of(shown), found), f"$ {command}\n{found}"


def test_every_command_is_shown_in_a_script() -> None:
    text = "\n".join(path.read_text("utf-8") for path in SCRIPTS)
    words = {
        "init",
        "check",
        "explain",
        "enroll",
        "users",
        "revoke",
        "unlock",
        "code",
        "tail",
        "verify",
        "audit rotate",
        "audit repair",
        "audit prove",
        "audit export",
        "audit prune",
        "audit hold",
        "audit rotate-key",
        "audit reconcile",
        "audit user-ids",
    }
    assert {word for word in words if f"$ stepup {word}" not in text} == set()
