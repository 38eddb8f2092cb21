"""Rotation by size, by age and by hand: one chain over all segments, and everybody follows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from .parts import check, entries, expect_whole, ids, mark, marks, python, record, trail


def test_by_size_each_segment_stays_within_it(tmp_path: Path) -> None:
    subject = trail(tmp_path, rotate_size=3000)
    for number in range(60):
        subject.append_blocking([record(str(number))])
    subject.close()
    segments = sorted((tmp_path / "audit" / "segments").iterdir())
    assert len(segments) > 3
    assert all(segment.stat().st_size <= 3000 for segment in segments)
    assert all(re.fullmatch(r"[0-9]{6}-[0-9]{12}\.jsonl", segment.name) for segment in segments)
    expect_whole(tmp_path, [str(number) for number in range(60)])
    assert check(tmp_path).files == len(segments) + 1


def test_by_age_of_the_first_line(tmp_path: Path) -> None:
    now = [1_800_000_000.0]
    subject = trail(tmp_path, rotate_every_s=3600, clock=lambda: now[0])
    for step in (0, 3599, 2, 10, -5000, 3600 * 3):
        now[0] += step
        subject.append_blocking([record(str(step))])
    subject.close()
    assert marks(tmp_path) == ["start", "rotated", "rotated", "stop"]
    expect_whole(tmp_path, ["0", "3599", "2", "10", "-5000", str(3600 * 3)])


def test_by_hand_the_first_line_of_the_next_file_says_what_was_sealed(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    assert subject.rotate_now() is None
    subject.append_blocking([record("a")])
    sealed = subject.rotate_now()
    assert sealed is not None
    subject.append_blocking([record("b")])
    subject.close()
    assert sealed == tmp_path / "audit" / "segments" / "000001-000000000000.jsonl"
    assert mark(tmp_path, "rotated") == {"segment": sealed.name, "first_seq": 0, "last_seq": 1}
    assert b'"phase":"rotated"' in (tmp_path / "audit" / "stepup.jsonl").read_bytes().splitlines()[0]
    expect_whole(tmp_path, ["a", "b"])


def test_other_writers_follow(tmp_path: Path) -> None:
    writers = [trail(tmp_path) for _ in range(3)]
    names = []
    for turn in range(12):
        for number, writer in enumerate(writers):
            name = f"{turn}-{number}"
            writer.append_blocking([record(name)])
            names.append(name)
        writers[turn % 3].rotate_now()
        if turn % 4 == 0:
            writers[(turn + 1) % 3].rotate_now()
    for writer in writers:
        writer.close()
    assert ids(tmp_path) == names
    expect_whole(tmp_path, names)
    assert "file_replaced" not in marks(tmp_path)


def test_what_nobody_waits_for_is_written_again_when_the_sync_of_a_rotation_fails(tmp_path: Path) -> None:
    code = """
import errno, os, sys, time
from pathlib import Path
sys.path[:0] = sys.argv[2].split(":")
from tests.trail.parts import record, trail
from stepup_mw.errors import TrailUnavailable
folder = Path(sys.argv[1])
subject, live, sync = trail(folder), folder / "audit" / "stepup.jsonl", os.fdatasync
subject.append_blocking([record("a")])
def fails(fd):
    os.fdatasync = sync
    raise OSError(errno.EIO, os.strerror(errno.EIO))
subject.post([record("told")])
while b"told" not in live.read_bytes():
    time.sleep(0.001)
os.fdatasync = fails
try:
    subject.rotate_now()
except TrailUnavailable as error:
    print(error)
subject.append_blocking([record("b")])
subject.close()
"""
    path = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)
    assert "Input/output error" in python(code, tmp_path, path)
    assert ids(tmp_path) == ["a", "told", "told", "b"]
    assert [entry.get("again") for entry in entries(tmp_path) if entry["event_id"] == "told"] == [None, True]
    assert mark(tmp_path, "io_error")["again"] == 1
    assert check(tmp_path).verdict == "VERIFIED"
