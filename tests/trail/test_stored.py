"""Acknowledged is stored: a disk that keeps only what it was made to keep, and tells of a failure once."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from .parts import entries, mark, python, record, trail

PATH = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
DISK = """
import errno, os, random, stat, sys, threading, time
sys.path[:0] = sys.argv[2].split(":")

class Disk:
    # What is on stable storage: a sync that fails has stored nothing, is told once, and every later one of the same
    # file lies (fsync(2)). ``stored``: how many bytes of each file are there for sure.
    def __init__(self, chance):
        self.stored, self._lies, self._chance = {}, {}, random.Random(chance)
        self._fsync, self._mutex = os.fsync, threading.Lock()

    def sync(self, fd):
        time.sleep(0.005 * self._chance.random())
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return self._fsync(fd)
        with self._mutex:
            if status.st_ino in self._lies:
                return
            if FAILS and self._chance.random() < 0.2:
                self._lies[status.st_ino] = os.dup(fd)  # held: no other file gets its number
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._fsync(fd)
        with self._mutex:
            self.stored[status.st_ino] = max(status.st_size, self.stored.get(status.st_ino, 0))

    def lost(self, told, folder):
        # Of what was told, each name with what was stored then: whose line was in no stored part of any file.
        places = {}
        for path in [*folder.glob("*.jsonl*"), *folder.glob("segments/*")]:
            end, file = 0, path.stat().st_ino
            for line in path.read_bytes().splitlines(keepends=True):
                end += len(line)
                name = line.partition(b'"event_id":"')[2].partition(b'"')[0].decode()
                places.setdefault(name, []).append((file, end))
        return [
            name for name, stored in told
            if not any(end <= stored.get(file, 0) for file, end in places.get(name, ()))
        ]

disk = Disk(int(sys.argv[3]))
os.fsync = os.fdatasync = disk.sync
"""


CROWD = """
import contextlib, itertools
from pathlib import Path
from tests.trail.parts import record, trail
from stepup_mw.errors import TrailUnavailable

audit = Path(sys.argv[1]) / "audit"
subject = trail(Path(sys.argv[1]), rotate_size=1_000_000)
told, refused, pad = [], [], "x" * 3000

def work(thread):
    for number in range(25):
        many = 1 if thread == 0 else 40
        names = [f"{thread}-{number}-{each}" for each in range(many)]
        try:
            subject.append_blocking([record(name, pad=pad) for name in names])
        except TrailUnavailable:
            refused.extend(names)
        else:
            stored = dict(disk.stored)
            told.extend((name, stored) for name in names)

threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads: thread.start()
if MOVES:
    for number in itertools.count():
        if not any(thread.is_alive() for thread in threads):
            break
        time.sleep(0.02)
        with contextlib.suppress(FileNotFoundError):
            (audit / "stepup.jsonl").rename(audit / f"aside.jsonl.{number}")
for thread in threads: thread.join()
print(*disk.lost(told, audit), flush=True)
print(len(told), len(refused), "stepup-sync" in {thread.name for thread in threading.enumerate()}, flush=True)
subject.close()
"""


@pytest.mark.parametrize("chance", [1, *(pytest.param(each, marks=pytest.mark.slow) for each in range(2, 6))])
@pytest.mark.parametrize(("fails", "moves"), [(True, False), (False, True), (True, True)])
def test_what_was_told_to_be_durable_had_been_stored(tmp_path: Path, fails: bool, moves: bool, chance: int) -> None:
    """Also where every fifth sync fails and the next ones lie, and where somebody moves the live file away: a line
    stands, once it is acknowledged, in a part of a file that was synced by then."""
    code = DISK.replace("FAILS", str(fails)) + CROWD.replace("MOVES", str(moves))
    lost, counts = python(code, tmp_path, PATH, chance).splitlines()
    assert lost == ""
    told, refused, beside = counts.split()
    assert int(told) + int(refused) == 25 * 121
    assert int(told) > 25 * 60
    assert beside == "True"


@pytest.mark.parametrize("many", [1, 200])
@pytest.mark.parametrize("what", ["truncated", "deleted"])
def test_a_file_that_is_destroyed_while_it_is_synced_acknowledges_nothing(
    what: str, many: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system is right that what is left is stored: the hand came after the write, and before who waits is told."""
    subject, live, sync, hand = trail(tmp_path), tmp_path / "audit" / "stepup.jsonl", os.fdatasync, threading.Event()
    subject.append_blocking([record("first")])

    def synced(fd: int) -> None:
        sync(fd)
        if not hand.is_set():
            hand.set()
            os.truncate(live, 10) if what == "truncated" else live.unlink()

    monkeypatch.setattr(os, "fdatasync", synced)
    names = [f"line-{number}" for number in range(many)]
    threads = [threading.Thread(target=subject.append_blocking, args=([record(name)],)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = b"".join(path.read_bytes() for path in (*(tmp_path / "audit").glob("segments/*"), live))
    assert [name for name in names if f'"{name}"'.encode() not in there] == []
    assert b'"file_replaced"' in there
    subject.close()
    if what == "deleted":
        assert mark(tmp_path, "file_replaced")["what"] == what
        assert {"first", *names} <= {entry["event_id"] for entry in entries(tmp_path)}


def test_a_file_that_was_sealed_and_compressed_while_it_was_synced_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By another process: its lines are elsewhere by then, and nothing is wrong."""
    subject, other, sync, hand = trail(tmp_path), trail(tmp_path, compress="zstd"), os.fdatasync, threading.Event()
    subject.append_blocking([record("first")])

    def synced(fd: int) -> None:
        sync(fd)
        if not hand.is_set():
            hand.set()
            other.rotate_now()
            other.close()

    monkeypatch.setattr(os, "fdatasync", synced)
    subject.append_blocking([record("second")])
    assert [path.suffix for path in (tmp_path / "audit" / "segments").iterdir()] == [".zst"]
    subject.close()
    assert [entry["phase"] for entry in entries(tmp_path) if entry.get("phase") == "io_error"] == []
    assert sum(entry["event_id"] == "second" for entry in entries(tmp_path)) == 1
