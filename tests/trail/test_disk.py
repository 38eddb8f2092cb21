"""A disk that runs full: what is refused, kept, dropped and counted at which stage, and that each is on record."""

from __future__ import annotations

import asyncio
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail.disk import RESERVE, Disk
from stepup_mw.trail.files import Layout

from .parts import check, entries, ids, mark, python, record, settings, trail
from .test_faults import BEGIN, PATH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MIB = 1 << 20


def pressures(folder: Path) -> list[tuple[str, str, str]]:
    """Every change of stage that is on record: its event type, from which stage, to which."""
    return [
        (entry["event_type"], entry["detail"]["before"], entry["detail"]["stage"])
        for entry in entries(folder)
        if entry.get("phase") == "disk_pressure"
    ]


def wait_until(met: Callable[[], object]) -> None:
    for _ in range(400):
        if met():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


SMALL = """
import asyncio, shutil, subprocess
disk, out = folder / "disk", folder / "out"
disk.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(disk)], check=True)
live = disk / "audit" / "stepup.jsonl"
reserve = disk / "audit" / ".stepup.reserve"
subject, other = trail(disk, signed=True), trail(disk, signed=True)
folder = disk
attempt("a")
other.append_blocking([record("b")])
until = time.monotonic() + 20
while not reserve.exists() or reserve.stat().st_size == 0:
    assert time.monotonic() < until
    time.sleep(0.02)
time.sleep(0.6)
print("reserve", reserve.stat().st_size)
def fill():
    with (disk / "filler").open("ab", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            pass
fill()
number = 0
while reserve.stat().st_size:
    number += 1
    attempt(f"x{number}")
attempt("full-1")
try:
    other.append_blocking([record("full-2")])
except TrailUnavailable:
    print("refused full-2")
asyncio.run(subject.append([record("denied-1"), record("denied-2")], spooled=True))
print("answered", "denied-1")
subject.post([record("info-1")], info=True)
late = trail(disk, signed=True)
try:
    late.append_blocking([record("full-3")])
except TrailUnavailable:
    print("refused full-3")
until = time.monotonic() + 20
while b"denied-2" not in live.read_bytes():
    assert time.monotonic() < until
    time.sleep(0.02)
said = live.read_bytes()
print("said", b'"stage":"full"' in said, b'"phase":"gap"' in said, reserve.stat().st_size)
attempt("full-4")
(disk / "filler").unlink()
attempt("after")
other.append_blocking([record("after-2")])
late.append_blocking([record("after-3")])
print("reserve", reserve.stat().st_size)
for writer in (subject, other, late):
    writer.close()
shutil.copytree(disk, out)
"""


def _unshared() -> tuple[str, ...]:
    """How a process gets mounts of its own; nothing where that is not permitted."""
    for command in (("unshare", "-m"), ("unshare", "-rm")):
        tried = subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
        if tried.returncode == 0:
            return command
    return ()


def test_a_small_disk_that_runs_full_refuses_says_so_in_its_reserve_and_recovers(tmp_path: Path) -> None:
    """On a file system of 12 MiB; where none may be mounted, a limit on the size of files stands in for it, under
    which there is no reserve."""
    command = _unshared()
    if not command:
        limited(tmp_path)
        return
    said = [line.split()[:2] for line in python(BEGIN + SMALL, tmp_path, PATH, prefix=command).splitlines()]
    assert said[:2] == [["written", "a"], ["reserve", str(RESERVE)]]
    rest = said[said.index(["refused", "full-1"]) :]
    assert rest == [
        *(["refused", name] for name in ("full-1", "full-2")),
        ["answered", "denied-1"],
        ["refused", "full-3"],
        ["said", "True"],
        ["refused", "full-4"],
        ["written", "after"],
        ["reserve", str(RESERVE)],
    ]
    out = tmp_path / "out"
    written = [name for what, name in said if what == "written"]
    assert [name for name in ids(out) if name in written] == written
    assert {"b", "denied-1", "denied-2", "after-2", "after-3"} <= set(ids(out))
    assert not [name for name in ids(out) if name.startswith(("full", "info"))]
    stages = [stage for stage in pressures(out) if "full" in stage]
    assert stages == [("alert", stages[0][1], "full"), ("audit", "full", "ok")]
    gaps = [entry["detail"] for entry in entries(out) if entry.get("phase") == "gap"]
    refused = [name for what, name in said if what == "refused"]
    assert (sum(gap["refused"] for gap in gaps), sum(gap["lost"] for gap in gaps)) == (len(refused), 1)
    report = check(out)
    assert (report.verdict, report.missing_lines, report.lost_lines) == ("GAP", 0, 1)  # the one that only informed


def limited(folder: Path) -> None:
    code = """
subject = trail(folder)
attempt("a")
live = folder / "audit" / "stepup.jsonl"
resource.setrlimit(resource.RLIMIT_FSIZE, (live.stat().st_size + 100, resource.RLIM_INFINITY))
attempt("full-1")
import asyncio
asyncio.run(subject.append([record("denied-1")], spooled=True))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
attempt("after")
subject.close()
"""
    said = [line.split()[:2] for line in python(BEGIN + code, folder, PATH).splitlines()]
    assert said == [["written", "a"], ["refused", "full-1"], ["written", "after"]]
    assert ids(folder) == ["a", "denied-1", "after"]
    assert (mark(folder, "gap")["refused"], mark(folder, "gap")["lost"]) == (1, 0)
    assert check(folder).verdict == "VERIFIED"


def test_a_limit_on_files_keeps_denials_and_counts_the_rest(tmp_path: Path) -> None:
    limited(tmp_path)


class Gauge:
    """A disk of a gigabyte with so much room left."""

    def __init__(self, free: int = 512 * MIB) -> None:
        self.free = free

    def __call__(self, _folder: Path) -> tuple[int, int]:
        return self.free, 10 << 30


def disk(folder: Path, gauge: Gauge) -> Disk:
    (folder / "audit").mkdir(exist_ok=True)
    found = settings(folder)
    return Disk(found, Layout(found.path).reserve, gauge)


def test_stages_by_the_room_that_is_left(tmp_path: Path) -> None:
    gauge = Gauge()
    subject = disk(tmp_path, gauge)
    seen = []
    for free in (512, 65, 63, 70, 79, 81, 63, 17, 15, 17, 19, 21, 60, 512):
        gauge.free = free * MIB
        subject.stage = subject.measure()
        seen.append(subject.stage)
    first = ["ok", "ok", "warn", "warn", "warn", "ok"]
    assert seen == [*first, "warn", "warn", "critical", "critical", "critical", "warn", "warn", "ok"]


def test_the_reserve_is_shared_given_back_and_made_again(tmp_path: Path) -> None:
    first, second = disk(tmp_path, Gauge()), disk(tmp_path, Gauge())
    reserve = tmp_path / "audit" / ".stepup.reserve"
    first.keep()
    assert reserve.stat().st_size == RESERVE
    assert reserve.stat().st_blocks * 512 >= RESERVE
    assert reserve.stat().st_mode & 0o777 == 0o600
    first.tell("warn")
    second.keep()
    assert (second.stage, second.refuses) == ("warn", False)
    assert (second.run_full(), first.run_full()) == (True, False)
    assert (first.refuses, second.refuses) == (True, True)
    assert reserve.stat().st_size == 0
    late = disk(tmp_path, Gauge())
    assert late.refuses
    assert (first.recover(), second.refuses) == (True, False)
    assert (first.stage, second.told(), reserve.stat().st_size) == ("ok", "ok", RESERVE)


def test_a_disk_too_small_for_a_reserve_has_none(tmp_path: Path) -> None:
    subject = disk(tmp_path, Gauge(4 * RESERVE - 1))
    subject.keep()
    assert list((tmp_path / "audit").iterdir()) == []
    assert not subject.run_full()
    assert not subject.refuses


def test_lines_that_only_inform_are_dropped_and_counted_where_room_is_critical(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    writer = subject._writer
    assert writer is not None
    gauge = Gauge(15 * MIB)
    writer._ledger.disk._free = gauge
    wait_until(lambda: pressures(tmp_path))
    subject.post([record("info-1"), record("info-2")], info=True)
    subject.post([record("alert")])
    subject.append_blocking([record("b")])
    asyncio.run(subject.append([record("denied")], spooled=True))
    assert "gap" not in {entry.get("phase") for entry in entries(tmp_path)}  # counted, and said when it is over
    gauge.free = 600 * MIB
    wait_until(lambda: len(pressures(tmp_path)) == 2)
    wait_until(lambda: any(entry.get("phase") == "gap" for entry in entries(tmp_path)))
    subject.post([record("info-3")], info=True)
    subject.append_blocking([record("c")])
    subject.close()
    assert pressures(tmp_path) == [("alert", "ok", "critical"), ("audit", "critical", "ok")]
    names = [entry["event_id"] for entry in entries(tmp_path) if entry["event_type"] == "step_up"]
    assert names == ["a", "alert", "b", "denied", "info-3", "c"]
    assert (mark(tmp_path, "gap")["lost"], mark(tmp_path, "gap")["refused"]) == (2, 0)
    report = check(tmp_path)
    assert (report.verdict, report.missing_lines) == ("GAP", 0)


def test_two_processes_put_a_stage_on_record_once(tmp_path: Path) -> None:
    writers = [trail(tmp_path) for _ in range(2)]
    gauges = []
    for number, writer in enumerate(writers):
        writer.append_blocking([record(str(number))])
        assert writer._writer is not None
        gauges.append(Gauge())
        writer._writer._ledger.disk._free = gauges[-1]
    wait_until(lambda: all(w._writer is not None and w._writer._ledger.disk.looked for w in writers))
    for gauge in gauges:
        gauge.free = 63 * MIB
    for _ in range(30):
        for writer in writers:
            writer.append_blocking([record("x")])
        time.sleep(0.05)
    for writer in writers:
        writer.close()
    assert pressures(tmp_path) == [("audit", "ok", "warn")]


def test_what_is_spooled_is_bounded_and_the_rest_is_counted(tmp_path: Path) -> None:
    """Here the folder is gone, so that nothing at all can be written for a while."""
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    (tmp_path / "audit").rename(tmp_path / "away")
    (tmp_path / "audit").touch()

    async def deny() -> None:
        for number in range(1100):
            await subject.append([record(f"denied-{number}")], spooled=True)

    asyncio.run(deny())
    with pytest.raises(TrailUnavailable):
        subject.append_blocking([record("refused")])
    (tmp_path / "audit").unlink()
    (tmp_path / "away").rename(tmp_path / "audit")
    subject.append_blocking([record("b")])
    subject.close()
    assert ids(tmp_path) == ["a", *(f"denied-{number}" for number in range(1000)), "b"]
    gaps = [entry["detail"] for entry in entries(tmp_path) if entry.get("phase") == "gap"]
    assert (sum(gap["lost"] for gap in gaps), sum(gap["refused"] for gap in gaps)) == (100, 1)
    assert check(tmp_path).missing_lines == 0


def test_a_disk_that_is_full_from_the_start_lets_a_later_line_in(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    (tmp_path / "audit" / ".stepup.reserve").touch(mode=0o600)  # given back by another process, and there is room again
    subject.append_blocking([record("b")])
    subject.close()
    assert ids(tmp_path) == ["a", "b"]
    assert pressures(tmp_path) == [("audit", "full", "ok")]
    assert (tmp_path / "audit" / ".stepup.reserve").stat().st_size == RESERVE
