"""How full the disk of a trail is, in stages that all processes of the host share, and the room kept for the end.

    ok -> warn -> critical (lines that only inform are dropped) -> full (lines that let something happen are refused)

``.stepup.reserve`` takes some room while there is enough, and begins with the stage that is on record. Where the disk
runs full it is emptied: what room that gives is for the record of what happened. While it is empty the disk counts as
full, until it could be filled again with half as much room beside it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final, Literal

from .files import O_SAFE, create, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..settings import TrailSettings

Stage = Literal["ok", "warn", "critical", "full"]

RESERVE: Final = 2 << 20
_MARGIN = 1 << 20
"""Bytes that have to be free beside the reserve before it is made again."""

_ROOMY = 4
"""The disk must have so many times the reserve left, or it is too small to keep any."""

_WIDTH = 8


class Disk:
    """Belongs to one writer; called by its thread, while it holds the lock where a method says so. ``free`` measures:
    the bytes that are free, and those there are in all."""

    def __init__(self, settings: TrailSettings, path: Path, free: Callable[[Path], tuple[int, int]]) -> None:
        self._settings = settings
        self._path = path
        self._free = free
        self.looked = False
        self.stage: Stage = "ok"

    @property
    def refuses(self) -> bool:
        """Whether there is room only for the record of what happened: the reserve was given back."""
        try:
            given = os.stat(self._path).st_size == 0  # noqa: PTH116 - on the way of every write
        except OSError:
            given = False
        if given:
            self.stage = "full"
        elif self.stage == "full":  # another process has found room again
            self.stage = self.told()
        return given

    def measure(self) -> Stage:
        """The stage by the room that is left now, with a quarter more to leave a stage than to come to it. Never full:
        only a write tells that."""
        try:
            free, whole = self._free(self._path.parent)
        except OSError:
            return self.stage
        critical = min(self._settings.disk_critical, whole // 100) * (1.25 if self.stage == "critical" else 1)
        warn = min(self._settings.disk_warn, whole // 20) * (1.25 if self.stage in ("warn", "critical") else 1)
        return "critical" if free < critical else "warn" if free < warn else "ok"

    def keep(self) -> None:
        """With the lock: have a reserve, if there is plenty of room; one that another process made counts."""
        self.looked = True
        if os.path.lexists(self._path):
            self.stage = self.told()
            return
        with contextlib.suppress(OSError):
            if self._free(self._path.parent)[0] >= _ROOMY * RESERVE:
                os.close(create(self._path))
                if not self._fill():
                    self._path.unlink()

    def told(self) -> Stage:
        """The stage that is on record."""
        try:
            fd = os.open(self._path, os.O_RDONLY | O_SAFE)
        except OSError:
            return "ok" if self.stage == "full" else self.stage
        try:
            word = os.pread(fd, _WIDTH, 0)
        finally:
            os.close(fd)
        if not word:
            return "full"
        return {b"warn": "warn", b"critical": "critical"}.get(word.strip(b"\0 "), "ok")  # type: ignore[return-value]  # one of them

    def tell(self, stage: Stage) -> None:
        """With the lock: the stage is on record now, also for the other processes."""
        self.stage = stage
        with contextlib.suppress(OSError):
            fd = os.open(self._path, os.O_WRONLY | O_SAFE)
            try:
                os.pwrite(fd, stage.encode().ljust(_WIDTH), 0)
            finally:
                os.close(fd)

    def run_full(self) -> bool:
        """With the lock: a write found no room. Gives whether there is some now, since the reserve was given back."""
        try:
            if self._path.stat().st_size == 0:
                return False
            os.truncate(self._path, 0)
        except OSError:
            return False
        self.stage = "full"
        return True

    def recover(self) -> bool:
        """With the lock: whether there is room again, and the reserve in its place."""
        if not self._fill():
            return False
        self.stage = "ok"
        return True

    def _fill(self) -> bool:
        try:
            fd = os.open(self._path, os.O_RDWR | O_SAFE)
        except OSError:
            return False
        try:
            _allocate(fd, RESERVE + _MARGIN)
            os.ftruncate(fd, RESERVE)
        except OSError:
            os.ftruncate(fd, 0)
            return False
        finally:
            os.close(fd)
        return True


def free_bytes(folder: Path) -> tuple[int, int]:
    """What this user may still write on the file system of a folder, and its size. OSError if it does not say."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def _allocate(fd: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        write_whole(fd, os.urandom(size))  # zeros might take no room
