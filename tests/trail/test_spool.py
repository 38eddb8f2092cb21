"""What is stopped anyway while the trail cannot be written: kept on disk, over a kill and over a restart, once each."""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stepup_mw.errors import TrailUnavailable
from stepup_mw.trail import Trail

from ..servers import until
from .parts import check, entries, ids, record, trail

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = ":".join(item for item in (str(Path.cwd()), *sys.path) if item)


def shut(folder: Path) -> None:
    """Nothing can be written: the lock file is no file any more. Other files in the folder can be made."""
    lock = folder / "audit" / ".stepup.lock"
    lock.unlink()
    lock.mkdir()


def reopen(folder: Path) -> None:
    (folder / "audit" / ".stepup.lock").rmdir()


def spools(folder: Path) -> list[Path]:
    return list((folder / "audit").glob(".stepup.*.spool"))


def deny(subject: Trail, *names: str) -> None:
    async def run() -> None:
        for name in names:
            await subject.append([record(name)], spooled=True)

    asyncio.run(run())


def go_on(folder: Path, name: str, *, left: int = 0) -> None:
    """The next start, until no more than ``left`` copies are there."""
    subject = trail(folder)
    subject.append_blocking([record(name)])
    until(lambda: len(spools(folder)) <= left, what="the copies are taken over")
    subject.close()


def late(folder: Path) -> list[str]:
    return [entry["event_id"] for entry in entries(folder) if "spooled" in entry]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2].split(":")
from tests.trail.parts import record, trail
from tests.trail.test_spool import deny, shut
folder = Path(sys.argv[1])
subject = trail(folder)
subject.append_blocking([record("a")])
shut(folder)
deny(subject, "denied-1", "denied-2")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_takes_no_denial_along(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), PATH], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert (ids(tmp_path), len(spools(tmp_path))) == (["a"], 1)
    reopen(tmp_path)
    go_on(tmp_path, "b")
    assert ids(tmp_path) == ["a", "b", "denied-1", "denied-2"]
    assert late(tmp_path) == ["denied-1", "denied-2"]
    assert (check(tmp_path).verdict, spools(tmp_path)) == ("VERIFIED", [])


def test_nor_does_a_stop_while_nothing_can_be_written(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    shut(tmp_path)
    deny(subject, "denied")
    subject.close()
    reopen(tmp_path)
    go_on(tmp_path, "b")
    go_on(tmp_path, "c")
    assert (ids(tmp_path), late(tmp_path)) == (["a", "b", "denied", "c"], ["denied"])
    assert (check(tmp_path).verdict, spools(tmp_path)) == ("VERIFIED", [])


def test_the_same_writer_writes_them_and_leaves_no_copy(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    shut(tmp_path)
    deny(subject, "denied")
    with pytest.raises(TrailUnavailable):
        subject.append_blocking([record("refused")])
    (spool,) = spools(tmp_path)
    assert (spool.read_bytes(), spool.stat().st_mode & 0o777) == (record("denied") + b"\n", 0o600)
    reopen(tmp_path)
    subject.append_blocking([record("b")])
    assert spools(tmp_path) == []
    subject.close()
    assert (ids(tmp_path), late(tmp_path)) == (["a", "denied", "b"], [])
    assert check(tmp_path).verdict == "VERIFIED"


class Failing:
    """A disk that, while ``down``, stores no line of the trail and says so; ``falters``: once more after that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.down = self.falters = False
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, functools.partial(self._sync, getattr(os, name)))

    def _sync(self, sync: Callable[[int], None], fd: int) -> None:
        file = Path(f"/proc/self/fd/{fd}").readlink().name
        falters, self.falters = self.falters and file == "stepup.jsonl", self.falters and file != "stepup.jsonl"
        if falters or (self.down and file in ("stepup.jsonl", ".stepup.next")):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(fd)


def test_what_was_kept_is_written_again_where_its_file_could_not_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was acknowledged because of its copy, which may go only when the line is durable elsewhere."""
    disk, subject = Failing(monkeypatch), trail(tmp_path)
    subject.append_blocking([record("a")])
    shut(tmp_path)
    deny(subject, "denied")
    reopen(tmp_path)
    disk.down = True
    with pytest.raises(TrailUnavailable):
        subject.append_blocking([record("refused")])
    assert len(spools(tmp_path)) == 1
    disk.down = False
    subject.append_blocking([record("b")])
    assert spools(tmp_path) == []
    assert b'"denied","again":true' in (tmp_path / "audit" / "stepup.jsonl").read_bytes()
    subject.close()
    assert check(tmp_path).verdict == "VERIFIED"


def test_a_line_says_once_that_it_stands_again_however_often_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, subject = Failing(monkeypatch), trail(tmp_path)
    subject.append_blocking([record("a")])
    disk.down = True
    deny(subject, "denied")
    disk.down, disk.falters = False, True
    subject.append_blocking([record("b")])
    subject.close()
    assert ids(tmp_path).count("denied") == 3
    assert check(tmp_path).verdict == "VERIFIED"


def test_what_was_kept_by_two_writers_says_so_once(tmp_path: Path) -> None:
    go_on(tmp_path, "a")
    line = record("new")[:-1] + b',"spooled":true}\n'  # taken over by one that could not write it either
    (tmp_path / "audit" / ".stepup.0123456789ab.spool").write_bytes(line)
    go_on(tmp_path, "b")
    assert (late(tmp_path), check(tmp_path).verdict) == (["new"], "VERIFIED")


def test_what_a_living_writer_keeps_is_left_to_it(tmp_path: Path) -> None:
    subject = trail(tmp_path)
    subject.append_blocking([record("a")])
    shut(tmp_path)
    deny(subject, "denied")
    reopen(tmp_path)
    go_on(tmp_path, "other", left=1)
    assert (late(tmp_path), len(spools(tmp_path))) == ([], 1)
    subject.close()
    assert (sorted(ids(tmp_path)), spools(tmp_path)) == (["a", "denied", "other"], [])


def test_what_got_there_after_all_is_no_record_or_not_whole_is_left_out(tmp_path: Path) -> None:
    """The writer died between its write and the removal of the copy; and somebody wrote into the copy."""
    go_on(tmp_path, "a")
    lines = [record("a"), record("new"), b"{}", b'{"event_id":NaN}', b"x" * 20_000, b"\xff", record("cut")[:-9]]
    (tmp_path / "audit" / ".stepup.0123456789ab.spool").write_bytes(b"\n".join(lines))
    go_on(tmp_path, "b")
    assert (ids(tmp_path), late(tmp_path)) == (["a", "b", "new"], ["new"])
    assert (check(tmp_path).verdict, spools(tmp_path)) == ("VERIFIED", [])


def test_a_link_in_the_place_of_a_copy_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(record("planted") + b"\n")
    go_on(tmp_path, "a")
    (tmp_path / "audit" / ".stepup.0123456789ab.spool").symlink_to(tmp_path / "elsewhere")
    go_on(tmp_path, "b", left=1)
    assert ids(tmp_path) == ["a", "b"]
    assert (tmp_path / "elsewhere").read_bytes() == record("planted") + b"\n"
