"""Lines that are synced while the next are written: what is told to whom, and what a sync that fails leads to."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from stepup_mw.trail.files import Layout, identity, make_folder
from stepup_mw.trail.live import Live
from stepup_mw.trail.marks import Marks
from stepup_mw.trail.syncing import Batch, Syncer
from stepup_mw.trail.waiting import Entry, Ticket

from .parts import check, entries, ids, mark, python, record, trail

if TYPE_CHECKING:
    from stepup_mw.trail import Trail

PATH = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
CROWD = """
import os, sys, threading, time
from pathlib import Path
sys.path[:0] = sys.argv[2].split(":")
from tests.trail.parts import record, trail
from stepup_mw.errors import TrailUnavailable
subject = trail(Path(sys.argv[1]), rotate_size=2_000_000)
pad = "x" * 4000  # so long that more are waiting when they are written

def work(thread):
    for number in range(ROUNDS):
        names = [f"{thread}-{number}-{each}" for each in range(40)]
        try:
            subject.append_blocking([record(name, pad=pad) for name in names])
        except TrailUnavailable as error:
            said = "refused"
        else:
            said = "written"
        os.write(1, "".join(f"{said} {name}\\n" for name in names).encode())

threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("beside" if "stepup-sync" in [thread.name for thread in threading.enumerate()] else "alone", flush=True)
subject.close()
"""


class Slow:
    """What a sync of it says, in turn; it takes until ``go``. A number is that of an error."""

    def __init__(self, *said: int) -> None:
        self.said = list(said)
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def sync(self) -> None:
        self.begun.release()
        self.go.acquire()
        number = self.said.pop(0) if self.said else 0
        if number:
            raise OSError(number, os.strerror(number))


def _batch(name: str) -> tuple[Batch, Ticket]:
    ticket = Ticket()
    return Batch([name.encode()], [Entry([name.encode()], ticket)]), ticket


@pytest.fixture
def rests() -> SimpleQueue[bool]:
    """Whether anything was in doubt, each time that nothing was left to sync."""
    return SimpleQueue()


def test_what_comes_during_a_sync_is_synced_together_and_released_after_it(rests: SimpleQueue[bool]) -> None:
    disk = Slow()
    subject = Syncer(disk.sync, rests.put)
    first, second, third = _batch("a"), _batch("b"), _batch("c")
    assert subject.hand_over(first[0])
    disk.begun.acquire()
    subject.hand_over(second[0])
    subject.hand_over(third[0])
    assert subject.busy
    assert not first[1].done()
    disk.go.release()
    assert first[1].result() is None
    disk.begun.acquire()
    assert not second[1].done()
    assert not third[1].done()
    disk.go.release()
    assert subject.wait() is None
    assert (second[1].done(), third[1].done(), subject.busy) == (True, True, False)
    assert rests.get(timeout=5) is False
    subject.close()
    assert rests.empty()
    assert not disk.begun.acquire(blocking=False)


def test_after_a_failure_nothing_is_synced_until_the_doubt_is_taken(rests: SimpleQueue[bool]) -> None:
    """A second sync of the same file would say that all is well."""
    disk = Slow(errno.EIO)
    subject = Syncer(disk.sync, rests.put)
    (first, one), (second, two), (third, three) = _batch("a"), _batch("b"), _batch("c")
    subject.hand_over(first)
    disk.begun.acquire()
    subject.hand_over(second)
    disk.go.release()
    said = subject.wait()
    assert said is not None
    assert said.errno == errno.EIO
    assert rests.get(timeout=5) is True
    doubt = subject.take_doubt()
    assert doubt is not None
    assert doubt.batches == [first, second]
    assert (one.done(), two.done()) == (False, False)
    assert (subject.take_doubt(), subject.wait()) == (None, None)
    subject.hand_over(third)
    disk.go.release()
    assert three.result() is None
    subject.close()


def test_a_child_waits_for_no_thread_of_its_parent(rests: SimpleQueue[bool]) -> None:
    disk = Slow()
    subject = Syncer(disk.sync, rests.put)
    subject.hand_over(_batch("a")[0])
    disk.begun.acquire()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        os._exit(0 if subject.wait() is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    disk.go.release()
    subject.close()


def test_a_file_is_neither_closed_nor_synced_under_the_hands_of_one_who_syncs_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "audit" / "stepup.jsonl")
    make_folder(layout.folder)
    marks = Marks("bank", time.time, os.urandom)
    live, waited = Live(layout, marks), []

    def quiet() -> OSError | None:
        waited.append(identity(os.fstat(live.fd or -1)))
        return None

    live.open()
    first, live.quiet = live.file, quiet
    live.write([marks.start("commit")])
    live.sync()
    assert waited == [first]
    live.roll([marks.start("commit")])
    assert waited == [first, first]
    assert live.file != first
    live.close()
    assert waited == [first, first, live.file]


def _crowd(folder: Path, *prefix: str, rounds: int = 12) -> dict[str, list[str]]:
    """What became of the lines of four threads, forty a call: the names by what was said of them."""
    said: dict[str, list[str]] = {"written": [], "refused": []}
    *lines, how = python(CROWD.replace("ROUNDS", str(rounds)), folder, PATH, prefix=prefix).splitlines()
    assert how == "beside"
    for line in lines:
        word, name = line.split()
        said[word].append(name)
    return said


def _strace(folder: Path, *options: str) -> tuple[str, ...]:
    live = ("-P", str(folder / "audit" / "stepup.jsonl"))
    return ("strace", "-f", "-qq", "-o", "/dev/null", *live, *(word for each in options for word in ("-e", each)))


def test_a_crowd_stands_in_the_trail_in_the_order_of_each(tmp_path: Path) -> None:
    said = _crowd(tmp_path)
    assert said["refused"] == []
    assert Counter(ids(tmp_path)) == Counter(said["written"])
    assert check(tmp_path).verdict == "VERIFIED"
    for thread in "0123":
        mine = [name for name in ids(tmp_path) if name.startswith(f"{thread}-")]
        assert mine == sorted(mine, key=lambda name: [int(part) for part in name.split("-")])


def test_the_next_lines_are_written_while_a_sync_is_under_way(tmp_path: Path) -> None:
    """Each sync takes long, and one that began before a write ends after it."""
    log, slow = tmp_path / "log", "inject=fdatasync:delay_enter=3000"
    place, live = ("-o", str(log)), ("-P", str(tmp_path / "audit" / "stepup.jsonl"))
    trace = ("strace", "-f", "-qq", *place, *live, "-e", "trace=write,fdatasync", "-e", slow)
    assert _crowd(tmp_path, *trace)["refused"] == []
    under_way, overlapped = set[str](), 0
    for line in log.read_text().splitlines():
        thread, what = line.split(maxsplit=1)
        if what.startswith("fdatasync(") and "unfinished" in what:
            under_way.add(thread)
        elif "fdatasync resumed" in what:
            under_way.discard(thread)
        elif what.startswith("write(") and under_way - {thread}:
            overlapped += 1
    assert overlapped > 5


@pytest.mark.parametrize("when", ["4", *(pytest.param(each, marks=pytest.mark.slow) for each in ("1+3", "2+5"))])
@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_a_sync_beside_that_fails_is_never_taken_back(tmp_path: Path, error: str, when: str) -> None:
    """Whoever was told that a line is durable finds it: once as first written, and again where that was in doubt."""
    said = _crowd(tmp_path, *_strace(tmp_path, f"inject=fdatasync:error={error}:when={when}"))
    firsts = Counter(entry["event_id"] for entry in entries(tmp_path) if "again" not in entry)
    assert {name: firsts[name] for name in said["written"]} == dict.fromkeys(said["written"], 1)
    assert any("again" in entry for entry in entries(tmp_path))
    report = check(tmp_path)
    assert report.verdict == "VERIFIED" or (report.verdict == "GAP" and not report.missing_lines), report


def test_a_disk_that_stores_nothing_any_more_acknowledges_nothing(tmp_path: Path) -> None:
    trace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=fdatasync,fsync:error=EIO:when=3+")
    said = _crowd(tmp_path, *trace, rounds=6)
    assert len(said["refused"]) > len(said["written"])
    counts = Counter(ids(tmp_path))
    assert all(counts[name] for name in said["written"])


def test_closing_waits_for_what_is_synced_beside(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    threads = [threading.Thread(target=_fill, args=(subject, number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subject.close()
    assert len(ids(tmp_path)) == 4 * 5 * 40
    assert mark(tmp_path, "stop")["pid"] == os.getpid()
    assert "stepup-sync" not in {thread.name for thread in threading.enumerate()}


def _fill(subject: Trail, thread: int) -> None:
    for number in range(5):
        subject.append_blocking([record(f"{thread}-{number}-{each}") for each in range(40)])
