"""The lock between processes, and the short one of readers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stepup_mw.trail.locks import FileLock, SharedLock, require_locks

if TYPE_CHECKING:
    from pathlib import Path


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    require_locks()
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    assert not second.try_acquire()
    first.release()
    assert second.try_acquire()
    second.release()
    first.close()
    second.close()


def test_a_replaced_lock_file_is_let_go(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    (tmp_path / "lock").unlink()
    second.acquire()
    first.release()
    assert not first.try_acquire()
    second.release()
    assert first.try_acquire()
    first.close()
    second.close()


def test_a_look_at_the_lock_file_that_fails_holds_no_lock(tmp_path: Path) -> None:
    """The folder is gone in the way of a stale mount, here of a name that is no folder any more, while one waits."""
    (tmp_path / "folder").mkdir()
    first, second = FileLock(tmp_path / "folder" / "lock"), FileLock(tmp_path / "folder" / "lock")
    first.acquire()
    first.release()
    second.acquire()
    second.release()
    (tmp_path / "folder").rename(tmp_path / "moved")
    (tmp_path / "folder").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        first.acquire()
    (tmp_path / "folder").unlink()
    (tmp_path / "moved").rename(tmp_path / "folder")
    assert second.try_acquire()
    second.release()
    second.close()


def test_a_reader_lets_go_though_a_child_was_forked_meanwhile(tmp_path: Path) -> None:
    writer = FileLock(tmp_path / "lock")
    writer.acquire()
    writer.release()
    code = """
import os, signal, sys
from pathlib import Path
from stepup_mw.trail.locks import FileLock, SharedLock
path = Path(sys.argv[1])
with SharedLock(path):
    child = os.fork()
    if child == 0:
        signal.pause()
try:
    print(FileLock(path).try_acquire())
finally:
    os.kill(child, signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "lock")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"
    writer.close()


def test_closing_drops_what_this_holder_alone_holds(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    first.close()
    assert second.try_acquire()
    second.close()


def test_a_forked_child_that_closes_does_not_unlock_its_parent(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    first.acquire()
    pid = os.fork()
    if pid == 0:
        first.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert not second.try_acquire()
    first.close()
    second.close()


def test_a_reader_waits_for_nobody_long_and_creates_nothing(tmp_path: Path) -> None:
    with SharedLock(tmp_path / "lock"):
        assert list(tmp_path.iterdir()) == []
    writer = FileLock(tmp_path / "lock")
    writer.acquire()
    writer.release()
    with SharedLock(tmp_path / "lock"):
        assert not writer.try_acquire()
    assert writer.try_acquire()
    with SharedLock(tmp_path / "lock"):
        assert not FileLock(tmp_path / "lock").try_acquire()
    writer.close()
