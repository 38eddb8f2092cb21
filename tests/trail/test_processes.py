"""Many processes, one file: forked, spawned and killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from .parts import entries, expect_whole, ids, marks, record, trail

LOADED = """
import os, sys, threading, time
from pathlib import Path
sys.path[:0] = sys.argv[3].split(":")
from tests.trail.parts import record, trail
from stepup_mw.errors import TrailUnavailable
folder, name = Path(sys.argv[1]), sys.argv[2]
subject = trail(folder, signed=True, rotate_size=40_000, checkpoint_lines=50)
out = open(folder / f"acknowledged-{name}", "ab", buffering=0)
def work(thread):
    for number in range(100_000):
        key = f"{os.getpid()}-{thread}-{number}"
        subject.append_blocking([record(key)])
        out.write(key.encode() + b"\\n")
threads = [threading.Thread(target=work, args=(t,), daemon=True) for t in range(4)]
for thread in threads: thread.start()
time.sleep(60)
"""


def _append(folder: Path, name: str) -> None:
    subject = trail(folder, rotate_size=60_000)

    def work(thread: int) -> None:
        for number in range(50):
            subject.append_blocking([record(f"{name}-{thread}-{number}")])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subject.close()


def test_four_processes_of_four_threads_make_one_chain(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_append, args=(tmp_path, str(number))) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    expect_whole(tmp_path, [f"{p}-{t}-{n}" for p in range(4) for t in range(4) for n in range(50)])
    assert marks(tmp_path).count("start") == marks(tmp_path).count("stop") == 4
    assert marks(tmp_path).count("rotated") > 2
    assert [entry["seq"] for entry in entries(tmp_path)] == list(range(len(entries(tmp_path))))


def test_a_fork_after_use_writes_with_a_writer_of_its_own(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("before")])
    subject.post([record("queued")])
    children = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            code = 1
            signal.alarm(10)  # a child that waits for its parent's writer would wait for ever
            try:
                subject.append_blocking([record(f"child-{number}")])
                subject.close()
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    subject.append_blocking([record("after")])
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
    subject.close()
    expect_whole(tmp_path, ["before", "queued", "after", "child-0", "child-1", "child-2"])
    pids = {entry["event_id"]: entry["writer"]["pid"] for entry in entries(tmp_path)}
    assert [pids[f"child-{number}"] for number in range(3)] == children
    assert pids["after"] == os.getpid()


def wait_for(folder: Path, lines: int) -> None:
    """Until so many lines were acknowledged."""
    for _ in range(1000):
        if sum(file.read_bytes().count(b"\n") for file in folder.glob("acknowledged-*")) >= lines:
            return
        time.sleep(0.02)
    raise AssertionError("no line is acknowledged")


def test_kill_9_loses_no_acknowledged_line_and_doubles_none(tmp_path: Path) -> None:
    chance = random.Random(9)
    path = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
    trail(tmp_path, signed=True).close()
    for turn in range(6):
        command = [sys.executable, "-c", LOADED, str(tmp_path)]
        workers = [subprocess.Popen([*command, str(number), path]) for number in range(3)]
        wait_for(tmp_path, 200 * (turn + 1))
        time.sleep(chance.random() * 0.5)
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("last")])
    subject.close()
    acknowledged = [name for file in tmp_path.glob("acknowledged-*") for name in file.read_text().splitlines()]
    assert len(acknowledged) > 1000
    expect_whole(tmp_path, acknowledged)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path))
