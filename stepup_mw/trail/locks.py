"""Locks between processes, by flock on a side file: Linux and macOS, on a local file system.

``fcntl`` record locks would not do: they do not keep out the threads of one process, and any close drops them.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from ..errors import Unsupported
from .files import O_SAFE, identity

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform != "win32":
    import fcntl

_LOCKS = sys.platform != "win32"
_POLL_S = 0.01


class FileLock:
    """An exclusive flock on a side file, between processes and between the objects of one process."""

    __slots__ = ("_fd", "_id", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._id = (0, 0)

    def acquire(self) -> None:
        """Wait for the lock. OSError if its file cannot be opened."""
        while not self._try(fcntl.LOCK_EX):
            pass

    def try_acquire(self, patience_s: float = 0.0) -> bool:
        """Take the lock if nobody has it, or lets it go within ``patience_s`` seconds."""
        end = time.monotonic() + patience_s
        while True:
            try:
                return self._try(fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
            time.sleep(_POLL_S)

    def release(self) -> None:
        """Let others in. If the system will not unlock, closing the file does."""
        try:
            if self._fd is not None:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
        except OSError:
            self.close()

    def close(self) -> None:
        """Close without unlocking: in a forked child the lock may be its parent's."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _try(self, how: int) -> bool:
        """False if somebody put another file in the place of the one that was locked; that one is let go."""
        if self._fd is None:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | O_SAFE, 0o600)
            self._id = identity(os.fstat(fd))
            self._fd = fd
        fcntl.flock(self._fd, how)
        try:
            if identity(self._path.stat(follow_symlinks=False)) == self._id:
                return True
        except FileNotFoundError:
            pass
        except OSError:
            self.close()  # else every writer of the host would wait for a lock that nobody knows is held
            raise
        self.close()
        return False


class SharedLock:
    """A shared flock for a reader: waits a little for writers, and goes on without if the lock cannot be had (a copy
    of a trail has none). Creates nothing."""

    __slots__ = ("_fd", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def __enter__(self) -> None:
        if not _LOCKS:
            return
        with contextlib.suppress(OSError):
            self._fd = os.open(self._path, os.O_RDONLY | O_SAFE)
            for _ in range(200):
                try:
                    fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_POLL_S)
                else:
                    return

    def __exit__(self, *exc: object) -> None:
        """Unlocks before it closes: a child that was forked meanwhile has the file open too, and would keep it."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


def require_locks() -> None:
    """Unsupported where this system has no flock, so that lines of two processes could mix."""
    if not _LOCKS:
        raise Unsupported("the audit trail needs file locks (flock), which this system lacks: use Linux or macOS")
