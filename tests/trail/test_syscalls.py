"""Every system call of an append, of a rotation and of a checkpoint on the files of a trail, failed in turn.

A warm writer is traced as it does the one thing; ``strace`` lists its calls. Then, for each of them, another such
writer has just that call fail, or dies at it; so does a thread that signs beside it. The tracer's log shows the call.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from .parts import check, entries, record, settings, trail

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
OPERATIONS = ("append", "rotate", "checkpoint")
HOWS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "KILL": "signal=KILL"}

WRITERS = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(":")
from tests.trail.parts import record, trail
from stepup_mw.errors import TrailUnavailable
from stepup_mw.note import generate_signing_key, parse_signer

def say(*words):
    os.write(1, " ".join(words).encode() + b"\\n")

def attempt(subject, name):
    try:
        subject.append_blocking([record(name)])
    except TrailUnavailable:
        say("refused", name)
    else:
        say("written", name)

def life(operation, folder):
    subject = trail(folder, signed=True, checkpoint_lines=10**6, checkpoint_every_s=10**6)
    attempt(subject, "before")
    if operation == "checkpoint":
        subject.checkpoint_now()
        attempt(subject, "more")
    say("ready", str(os.getpid()))
    (folder / "go").read_bytes()
    try:
        if operation == "append":
            attempt(subject, "struck")
        elif operation == "rotate":
            subject.rotate_now()
        else:
            subject.checkpoint_now()
    except TrailUnavailable:
        say("refused", operation)
    say("struck")
    attempt(subject, "same-process")
    subject.close()

parse_signer(generate_signing_key(), "warm")
for order in sys.stdin:
    operation, folder = order.split()
    child = os.fork()
    if child == 0:
        life(operation, Path(folder))
        os._exit(0)
    os.waitpid(child, 0)
    say("ended")
"""


class Call(NamedTuple):
    """The ``at``-th ``name`` of the operation, on ``target``: a path relative to the test's folder."""

    name: str
    at: int
    target: str


class Writers:
    """A process that forks a warm writer for each order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        command = [sys.executable, "-c", textwrap.dedent(WRITERS), PATH]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        self._process.communicate(timeout=10)
        assert self._process.returncode == 0

    def live(self, operation: str, *strace: str) -> tuple[Path, list[str]]:
        """One life, its operation under ``strace``. Gives its folder, with the tracer's log in it, and what it said."""
        self._count += 1
        folder = self.folder / f"{operation}-{self._count}"
        folder.mkdir()
        settings(folder, signed=True)
        os.mkfifo(folder / "go")
        assert self._process.stdin is not None
        self._process.stdin.write(f"{operation} {folder}\n")
        self._process.stdin.flush()
        (*said, pid) = self._until("ready")
        options = [item.replace("{folder}", str(folder)) for item in strace]
        command = ["strace", "-f", "-qq", "-y", "-o", str(folder / "log"), *options, "-p", pid.split()[1]]
        tracer = subprocess.Popen(command)
        _await_tracer(int(pid.split()[1]))
        (folder / "go").write_bytes(b"")
        said += self._until("ended")[:-1]
        assert tracer.wait(20) in (0, -9)
        return folder, said

    def _until(self, word: str) -> list[str]:
        """Lines up to the one that begins with the word."""
        lines: list[str] = []
        assert self._process.stdout is not None
        while not lines or not lines[-1].startswith(word):
            line = self._process.stdout.readline()
            assert line, lines
            lines.append(line.strip())
        return lines


def _await_tracer(pid: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        if all("TracerPid:\t0\n" not in (thread / "status").read_text() for thread in threads):
            return
        time.sleep(0.002)
    raise AssertionError("strace does not attach")


_LINE = re.compile(r"[0-9]+ +([a-z0-9_]+)\((.*)")
_TARGET = re.compile(r'[<"]((?:/[^>"]*)?)[>"]')
_NAMES = re.compile("stepup|audit|segments|checkpoints")


def calls_of(log: str, folder: Path) -> list[Call]:
    """The calls in a tracer's log that concern a file of the trail or the key, each counted by its name."""
    counts: Counter[str] = Counter()
    found = []
    for line in log.splitlines():
        match = _LINE.match(line)
        targets = [path for path in _TARGET.findall(match[2]) if path.startswith(str(folder))] if match else []
        if match is None or not targets or targets[0].endswith("/go"):
            continue
        counts[match[1]] += 1
        found.append(Call(match[1], counts[match[1]], targets[0].removeprefix(str(folder)) or "/"))
    return found


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writers]:
    made = Writers(tmp_path_factory.mktemp("writers"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def census(writers: Writers) -> dict[str, list[Call]]:
    """What each operation does, up to its end."""
    found = {}
    for operation in OPERATIONS:
        folder, said = writers.live(operation, "-e", "trace=%file,%desc,write")
        assert said[-2:] == ["written same-process", "struck"] or "struck" in said
        log = (folder / "log").read_text()
        found[operation] = calls_of(log.partition('"struck\\n"')[0], folder)
    return found


def test_what_an_operation_does(census: dict[str, list[Call]]) -> None:
    """The calls that make a line durable, a rotation one step, a checkpoint kept, are among them."""
    done = {operation: [(call.name, call.target) for call in calls] for operation, calls in census.items()}
    live, fresh, notes = "/audit/stepup.jsonl", "/audit/.stepup.next", "/audit/checkpoints.note"
    assert {("flock", "/audit/.stepup.lock"), ("write", live), ("fdatasync", live)} <= set(done["append"])
    assert {("write", fresh), ("fsync", fresh), ("rename", live), ("rename", fresh), ("fsync", "/audit")} <= set(
        done["rotate"]
    )
    assert {("flock", "/audit/.stepup.signing"), ("write", notes), ("fsync", notes)} <= set(done["checkpoint"])
    assert [len(calls) > least for calls, least in zip(census.values(), (5, 25, 40), strict=True)] == [True] * 3


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_call_that_fails_loses_an_acknowledged_line(
    writers: Writers, census: dict[str, list[Call]], operation: str, how: str
) -> None:
    only = [word for target in dict.fromkeys(call.target for call in census[operation]) for word in _only(target)]
    for call in census[operation]:
        inject = f"inject={call.name}:{HOWS[how]}:when={call.at}"
        folder, said = writers.live(operation, *only, "-e", f"trace={call.name}", "-e", inject)
        struck = calls_of((folder / "log").read_text(), folder)
        assert struck[call.at - 1] == call, (call, struck)
        assert ("struck" in said) == (how != "KILL"), (call, said)
        expect_recovered(folder, said, call)


def _only(target: str) -> tuple[str, str]:
    return "-P", "{folder}" + target.rstrip("/")


def expect_recovered(folder: Path, said: list[str], call: Call) -> None:
    """Another process goes on; every line that was acknowledged is there once, and the trail verifies, or says what of
    its own it could not write."""
    subject = trail(folder, signed=True)
    subject.append_blocking([record("after")])
    subject.close()
    report = check(folder)
    assert report.verdict == "VERIFIED" or (report.verdict == "GAP" and not report.missing_lines), (call, report)
    firsts = Counter(entry["event_id"] for entry in entries(folder) if "again" not in entry)
    written = [line.split()[1] for line in said if line.startswith("written")]
    assert {name: firsts[name] for name in [*written, "after"]} == dict.fromkeys([*written, "after"], 1), call
    assert "before" in written
