"""The lock between processes, and the short one of readers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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
