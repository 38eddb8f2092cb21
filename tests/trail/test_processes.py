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

import pytest

from .parts import entries, expect_whole, ids, marks, record, trail

LOADED = """
import os, signal, sys, threading
from pathlib import Path
sys.path[:0] = sys.argv[2].split(":")
from tests.trail.parts import record, trail
from stepup_mw.note import generate_signing_key, parse_signer

folder = Path(sys.argv[1])
parse_signer(generate_signing_key(), "warm")

def work(subject, out, thread):
    many = 40 if thread > 1 else 1  # so many that they are synced beside what is written next
    for number in range(100_000):
        keys = [f"{os.getpid()}-{thread}-{number}-{each}" for each in range(many)]
        subject.append_blocking([record(key) for key in keys])
        os.write(out, "".join(f"{key}\\n" for key in keys).encode())

def load(name):
    subject = trail(folder, signed=True, rotate_size=40_000, checkpoint_lines=50)
    out = os.open(folder / f"acknowledged-{name}", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    threads = [threading.Thread(target=work, args=(subject, out, t), daemon=True) for t in range(4)]
    for thread in threads: thread.start()
    signal.pause()

for _ in sys.stdin:
    children = []
    for name in range(4):
        children.append(os.fork())
        if not children[-1]:
            load(name)
    print(*children, flush=True)
    for child in children: os.waitpid(child, 0)
    print("ended", flush=True)
"""
"""Forks four loaded workers for each line it is sent, and says when all of them have ended."""


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
        time.sleep(0.01)
    raise AssertionError("no line is acknowledged")


@pytest.mark.parametrize("rounds", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_kill_9_of_four_loaded_workers_loses_no_acknowledged_line_and_doubles_none(tmp_path: Path, rounds: int) -> None:
    chance = random.Random(rounds)
    path = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
    trail(tmp_path, signed=True).close()
    command = [sys.executable, "-c", LOADED, str(tmp_path), path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forker:
        assert forker.stdin is not None
        assert forker.stdout is not None
        for turn in range(rounds):
            forker.stdin.write("\n")
            forker.stdin.flush()
            workers = [int(word) for word in forker.stdout.readline().split()]
            wait_for(tmp_path, 40 * (turn + 1))
            for worker in chance.sample(workers, 4):
                time.sleep(chance.random() * 0.1)
                os.kill(worker, signal.SIGKILL)
            assert forker.stdout.readline() == "ended\n"
    subject = trail(tmp_path, signed=True)
    subject.append_blocking([record("last")])
    subject.close()
    acknowledged = [name for file in tmp_path.glob("acknowledged-*") for name in file.read_text().splitlines()]
    assert len(acknowledged) >= 40 * rounds
    expect_whole(tmp_path, acknowledged)
    assert len(set(ids(tmp_path))) == len(ids(tmp_path))
