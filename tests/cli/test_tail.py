"""``tail``: filters, following over a rotation, and a trail somebody has written terminal commands into."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Queue

import click
import pytest

from stepup_mw.cli.tail import Filter, parse_since
from stepup_mw.encoding import format_timestamp

from .conftest import Run
from .server import clean_environ
from .test_rows import LINE

NOW = 1_795_418_700.0


def write_trail(folder: Path, *lines: dict[str, object]) -> Path:
    """Lines as a reader takes them: with a place, but no true chain."""
    path = folder / "audit" / "stepup.jsonl"
    path.parent.mkdir()
    opening = '{{"prev":"{}=","seq":{},'
    spelt = [opening.format("A" * 43, number) + json.dumps(line)[1:] for number, line in enumerate(lines)]
    path.write_text("".join(line + "\n" for line in spelt))
    return path


LINES = [
    LINE | {"user_id": "alice", "phase": "trigger", "status": "required", "timestamp": format_timestamp(NOW - 1200)},
    LINE | {"user_id": "bob", "phase": "access", "status": "allowed", "timestamp": format_timestamp(NOW - 300)},
    LINE | {"user_id": "bob", "phase": "access", "status": "refused", "action": {"route": "rename"}},
    {"event_type": "throttle", "phase": "locked", "user_id": "carol", "timestamp": format_timestamp(NOW)},
]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("-n 2", [2, 3]),
        ("--user bob", [1, 2]),
        ("--user bob -n 1", [2]),
        ("--user bob --user carol", [1, 2, 3]),
        ("--status allowed", [1]),
        ("--phase access --status refused", [2]),
        ("--route rename", [2]),
        ("--type throttle", [3]),
        ("--type step_up --user carol", []),
        (f"--since {format_timestamp(NOW - 600)}", [1, 3]),
        (f"--since {format_timestamp(NOW - 600)} -n 1", [3]),
    ],
)
def test_filters(folder: Path, stepup: Run, words: str, found: list[int]) -> None:
    lines = [*LINES[:2], LINES[2] | {"timestamp": format_timestamp(NOW - 900)}, LINES[3]]
    path = write_trail(folder, *lines)
    ran = stepup(f"tail {path} --json {words}")
    assert [json.loads(line)["seq"] for line in ran.out.splitlines()] == found
    assert ran.code == (0 if found else 1)
    rows = stepup(f"tail {path} {words}")
    assert len(rows.out.splitlines()) == len(found)
    assert rows.code == ran.code


def test_json_gives_the_very_bytes(folder: Path, stepup: Run) -> None:
    path = write_trail(folder, *LINES)
    assert stepup(f"tail {path} --json").out == path.read_text()


@pytest.mark.parametrize(
    ("text", "since"), [("90s", NOW - 90), ("10m", NOW - 600), ("2h", NOW - 7200), (format_timestamp(NOW), NOW)]
)
def test_since(text: str, since: float) -> None:
    assert parse_since(text, NOW) == since


@pytest.mark.parametrize("text", ["", "10", "10x", "yesterday", "2026-11-23", "2026-11-23T07:25:00", "-5m"])
def test_since_that_is_none(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_since(text, NOW)


def test_a_filter_never_fails_on_odd_values() -> None:
    chosen = Filter(wanted={("action", "route"): ("x",)}, since=NOW)
    actions: tuple[object, ...] = (None, 3, "x", ["x"], {"route": {}}, {"route": "x"})
    for action in actions:
        assert not chosen.takes({"action": action, "timestamp": {}})


ATTACK = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\nfake line\r"


def test_terminal_commands_in_a_trail_do_nothing(folder: Path, stepup: Run) -> None:
    path = write_trail(folder, LINE | {"user_id": ATTACK, "action": {"route": ATTACK, "method": "GET", "path": ATTACK}})
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"\\u202e", "\u202e".encode()).replace(b"\\u009b", "\x9b".encode()) + ATTACK.encode())
    for words in ("", "--json", "--user nobody"):
        ran = stepup(f"tail {path} {words}")
        for shown in (ran.out, ran.err):
            assert not set(shown) & set("\x1b\x07\x9b\u202e\r")
            assert all(line.isprintable() for line in shown.splitlines())
    assert len(stepup(f"tail {path}").out.splitlines()) == 1 + 1


def test_what_is_no_line_is_shown_as_such(folder: Path, stepup: Run) -> None:
    path = write_trail(folder, LINE)
    path.write_bytes(path.read_bytes() + b'{"not":"chained"}\n\xff\xfe\n')
    ran = stepup(f"tail {path}")
    assert ran.out.splitlines()[1:] == [
        '✗ not an audit line: {"not":"chained"}',
        "✗ not an audit line: \\xff\\xfe",
    ]
    told = stepup(f"tail {path} --json")
    assert (len(told.out.splitlines()), len(told.err.splitlines())) == (1, 2)


@pytest.mark.slow
def test_follow_shows_each_line_once_over_a_rotation(service: Path, stepup: Run) -> None:
    command = [sys.executable, "-m", "stepup_mw", "tail", "-f", "--type", "enrollment", "--json"]
    with subprocess.Popen(command, cwd=service, env=clean_environ(), stdout=-1, stderr=-1, text=True) as process:
        shown: Queue[str] = Queue()
        threading.Thread(target=_pump, args=(process, shown), daemon=True).start()
        time.sleep(0.5)  # it waits for the trail's first line
        assert stepup("enroll alice").code == 0
        assert json.loads(shown.get(timeout=10))["user_id"] == "alice"
        assert stepup("enroll bob").code == 0
        assert stepup("audit rotate").code == 0
        assert stepup("enroll carol").code == 0
        assert [json.loads(shown.get(timeout=10))["user_id"] for _ in range(2)] == ["bob", "carol"]
        time.sleep(0.4)
        assert shown.empty()
        process.terminate()


def _pump(process: subprocess.Popen[str], shown: Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        shown.put(line)
