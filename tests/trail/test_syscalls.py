"""Every system call of an append, of a rotation and of a checkpoint on the files of a trail, failed in turn.

A warm writer is traced as it does the one thing; ``strace`` lists its calls. Then, for each of them, another such
writer has just that call fail, or dies at it; so does a thread that syncs or signs beside it. The tracer's log shows
the call.

Each thread is traced alone and each file is counted alone, so that it does not matter how the threads meet.
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
OPERATIONS = {
    "append": ("writer",),
    "beside": ("writer", "syncer"),
    "rotate": ("writer", "signer"),
    "checkpoint": ("writer",),
}
"""What is done, and the threads that do it."""
THREADS = ("writer", "syncer", "signer")
HOWS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "KILL": "signal=KILL"}

WRITERS = """
import os, sys, threading
from pathlib import Path
sys.path[:0] = sys.argv[1].split(":")
from tests.trail.parts import record, trail
from stepup_mw.trail import inbox, signing, syncing, writer
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

def hold(owner, name, thread, gate):
    # What this thread does is held at its gate, once.
    act, words = getattr(owner, name), [gate.name]
    def held(*given):
        if words and threading.current_thread().name == thread:
            say(words.pop(), str(threading.get_native_id()))
            gate.read_bytes()
        return act(*given)
    setattr(owner, name, held)

def life(operation, folder, thread):
    subject = trail(folder, signed=True, checkpoint_lines=10**6, checkpoint_every_s=10**6)
    if operation == "beside":
        inbox.Inbox.full = True
    attempt(subject, "before")
    attempt(subject, "warm")  # after which nothing of the first is left to be done
    if thread == "signer":
        hold(signing.Signing, "_sign", "stepup-checkpoint", folder / "signer")
    elif thread == "syncer":
        hold(syncing.Syncer, "_settle", "stepup-sync", folder / "syncer")
    if operation == "checkpoint":
        subject.checkpoint_now()
        attempt(subject, "more")
    (writing,) = [item.native_id for item in threading.enumerate() if item.name == "stepup-trail"]
    say("ready", str(os.getpid()), str(writing))
    (folder / "writer").read_bytes()
    try:
        if operation in ("append", "beside"):
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
writer._TICK_S = 10**6  # nothing unasked: a life would do what another did not
for order in sys.stdin:
    operation, folder, thread = order.split()
    child = os.fork()
    if child == 0:
        life(operation, Path(folder), thread)
        os._exit(0)
    say("ended", str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
"""


class Call(NamedTuple):
    """The ``at``-th ``name`` of a thread on ``target``, a path relative to the test's folder."""

    thread: str
    name: str
    target: str
    at: int


class Life(NamedTuple):
    """What became of one writer: its folder, what it said, the tracer's log and how it ended."""

    folder: Path
    said: list[str]
    log: str
    exit_code: int


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

    def live(self, operation: str, thread: str, *strace: str) -> Life:
        """One life, with that thread of its operation, and the one that asks for it, under ``strace``."""
        self._count += 1
        folder = self.folder / f"{operation}-{self._count}"
        folder.mkdir()
        settings(folder, signed=True)
        for gate in THREADS:
            os.mkfifo(folder / gate)
        assert self._process.stdin is not None
        self._process.stdin.write(f"{operation} {folder} {thread}\n")
        self._process.stdin.flush()
        (*said, ready) = self._until("ready")
        traced = [int(word) for word in ready.split()[1:]]
        if thread != "writer":
            (folder / "writer").write_bytes(b"")
            (*more, ready) = self._until(thread)
            said, traced = said + more, [traced[0], int(ready.split()[1])]
        tracer = _trace(traced, [item.replace("{folder}", str(folder)) for item in strace], folder / "log")
        (folder / thread).write_bytes(b"")
        (*more, ended) = self._until("ended")
        assert tracer.wait(20) in (0, -9)
        return Life(folder, said + more, (folder / "log").read_text(), int(ended.split()[1]))

    def _until(self, word: str) -> list[str]:
        """Lines up to the one that begins with the word."""
        lines: list[str] = []
        assert self._process.stdout is not None
        while not lines or not lines[-1].startswith(word):
            line = self._process.stdout.readline()
            assert line, lines
            lines.append(line.strip())
        return lines


def _trace(threads: list[int], options: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Attach to these threads and to no other of their process."""
    places = [word for thread in threads for word in ("-p", str(thread))]
    tracer = subprocess.Popen(["strace", "-qq", "-y", "-o", str(log), *options, *places])
    until = time.monotonic() + 60
    while any("TracerPid:\t0\n" in Path(f"/proc/{thread}/status").read_text() for thread in threads):
        assert time.monotonic() < until, "strace does not attach"
        time.sleep(0.002)
    return tracer


_LINE = re.compile(r"(?:[0-9]+ +)?([a-z0-9_]+)\((.*)")
_TARGET = re.compile(r'[<"]((?:/[^>"]*)?)[>"]')


def _whole(log: str) -> Iterator[str]:
    """The log's lines, each call in one piece where another thread's came in between, in the order of their ends."""
    begun: dict[str, str] = {}
    for line in log.splitlines():
        thread, _, what = line.partition(" ")
        if what.endswith(" <unfinished ...>"):
            begun[thread] = line.removesuffix(" <unfinished ...>")
        elif " resumed>" in what:
            yield begun.pop(thread, thread) + what.partition(" resumed>")[2]
        else:
            yield line
    yield from begun.values()


def calls_of(log: str, folder: Path, thread: str) -> list[tuple[Call, bool]]:
    """The calls in a tracer's log that concern a file of the trail or the key, each counted by its name and file, and
    whether it was struck: made to fail, or the one at which the process died."""
    counts: Counter[tuple[str, str]] = Counter()
    found: list[tuple[Call, bool]] = []
    for line in _whole(log):
        match = _LINE.match(line)
        targets = [path for path in _TARGET.findall(match[2]) if path.startswith(str(folder))] if match else []
        if match is None or not targets or Path(targets[0]).name in THREADS:
            continue
        done = match[1], targets[0].removeprefix(str(folder)) or "/"
        counts[done] += 1
        found.append((Call(thread, *done, counts[done]), line.endswith(("(INJECTED)", "= ?"))))
    return found


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writers]:
    made = Writers(tmp_path_factory.mktemp("writers"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def census(writers: Writers) -> dict[str, list[Call]]:
    """What each operation does, up to its end."""
    found: dict[str, list[Call]] = {}
    for operation, threads in OPERATIONS.items():
        found[operation] = []
        for thread in threads:
            life = writers.live(operation, thread, "-e", "trace=%file,%desc,write")
            assert (life.exit_code, "struck" in life.said, "written same-process" in life.said) == (0, True, True)
            done = life.log.partition('"struck\\n"')[0] if thread == "writer" else life.log
            found[operation] += [call for call, _ in calls_of(done, life.folder, thread)]
    return found


def test_what_an_operation_does(census: dict[str, list[Call]]) -> None:
    """The calls that make a line durable, a rotation one step, a checkpoint kept, are among them."""
    done = {operation: [(call.name, call.target) for call in calls] for operation, calls in census.items()}
    live, fresh, notes = "/audit/stepup.jsonl", "/audit/.stepup.next", "/audit/checkpoints.note"
    assert {("flock", "/audit/.stepup.lock"), ("write", live), ("fdatasync", live)} <= set(done["append"])
    assert ("fdatasync", live) in [(call.name, call.target) for call in census["beside"] if call.thread == "syncer"]
    assert {("write", fresh), ("fsync", fresh), ("rename", live), ("rename", fresh), ("fsync", "/audit")} <= set(
        done["rotate"]
    )
    assert {("flock", "/audit/.stepup.signing"), ("write", notes), ("fsync", notes)} <= set(done["checkpoint"])
    assert [len(calls) > least for calls, least in zip(census.values(), (5, 5, 25, 40), strict=True)] == [True] * 4


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_call_that_fails_loses_an_acknowledged_line(
    writers: Writers, census: dict[str, list[Call]], operation: str, how: str
) -> None:
    for call in census[operation]:
        inject = f"inject={call.name}:{HOWS[how]}:when={call.at}"
        only = "-P", "{folder}" + call.target.rstrip("/")
        life = writers.live(operation, call.thread, *only, "-e", f"trace={call.name}", "-e", inject)
        assert [done for done, struck in calls_of(life.log, life.folder, call.thread) if struck] == [call], life
        assert life.exit_code == (-9 if how == "KILL" else 0), (call, life)
        expect_recovered(life.folder, life.said, call)


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
