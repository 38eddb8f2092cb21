"""Where the files of a trail are, and the calls that open, create and sync them.

    audit/stepup.jsonl            the live file
    audit/segments/               sealed files, ``000001-000000000000.jsonl``: number and first seq; perhaps ``.zst``
    audit/torn/                   bytes that were taken out of the way
    audit/checkpoints.note        signed notes
    audit/cursors/                how far each place outside has come
    audit/HOLD                    a legal hold: nothing is removed
    audit/.stepup.lock            held while lines are written; never renamed, opened again after a fork
    audit/.stepup.reserve         room that is given back when the disk is full
    audit/.stepup.next            the next live file, while a rotation is under way
    audit/.stepup.….spool         what a writer could not write and keeps, see ``spool``
    audit/.stepup.store           what is remembered of the store, by which its loss is known
    audit/.stepup.removed         authenticators that were taken away through this host

Nothing here knows what a line is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import TrailUnavailable

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform != "win32":
    import fcntl

_SEALED = re.compile(r"([0-9]{6,})-([0-9]{12,16})\.jsonl(?:\.zst)?", re.ASCII)
O_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_NO_FULL_SYNC = frozenset({errno.ENOTSUP, errno.EINVAL, errno.ENOTTY})


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed segment: ``first_seq`` is the number of its first line, as its name says."""

    path: Path
    index: int
    first_seq: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of the trail whose live file is ``live``."""

    live: Path

    @property
    def folder(self) -> Path:
        return self.live.parent

    @property
    def segments(self) -> Path:
        return self.folder / "segments"

    @property
    def torn(self) -> Path:
        return self.folder / "torn"

    @property
    def notes(self) -> Path:
        return self.folder / "checkpoints.note"

    @property
    def cursors(self) -> Path:
        return self.folder / "cursors"

    @property
    def hold(self) -> Path:
        """While it is there nothing is removed; what is in it says why."""
        return self.folder / "HOLD"

    @property
    def state(self) -> Path:
        return self.folder / ".stepup.checkpoint"

    @property
    def lock(self) -> Path:
        return self.folder / ".stepup.lock"

    @property
    def signing_lock(self) -> Path:
        return self.folder / ".stepup.signing"

    @property
    def reserve(self) -> Path:
        return self.folder / ".stepup.reserve"

    @property
    def packing_lock(self) -> Path:
        return self.folder / ".stepup.packing"

    @property
    def fresh(self) -> Path:
        return self.folder / ".stepup.next"

    @property
    def witness(self) -> Path:
        """Of the store, and the store's to write; here since whoever puts back a store does not put back the trail."""
        return self.folder / ".stepup.store"

    def sealed(self) -> list[Sealed]:
        """The sealed segments, the oldest first. Of one that is there both compressed and not, since its compression
        was cut off, the plain file counts."""
        try:
            names = os.listdir(self.segments)  # noqa: PTH208 - names are enough, and a Path for each is slow
        except FileNotFoundError:
            return []
        found = [(name, match) for name in names if (match := _SEALED.fullmatch(name))]
        segments = [Sealed(self.segments / name, int(match[1]), int(match[2])) for name, match in found]
        segments.sort(key=lambda item: (item.index, item.first_seq, len(item.path.name)))
        return [
            item
            for before, item in pairwise([None, *segments])
            if item is not None and (before is None or (before.index, before.first_seq) != (item.index, item.first_seq))
        ]

    def next_sealed(self, first_seq: int) -> Path:
        """The name for the next segment to seal."""
        index = max((item.index for item in self.sealed()), default=0) + 1
        return self.segments / f"{index:06d}-{first_seq:012d}.jsonl"


def identity(status: os.stat_result) -> tuple[int, int]:
    """What tells one file from another: device and inode."""
    return status.st_dev, status.st_ino


def sync_data(fd: int) -> None:
    """Return once the file's data is on stable storage; OSError if the system says it is not."""
    if sys.platform == "darwin":
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _NO_FULL_SYNC:
                raise
            os.fsync(fd)
    else:
        os.fdatasync(fd)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """A folder only its owner can enter, made if it is missing and durable when this returns."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    sync_folder(path.parent)


def open_regular(path: Path, flags: int) -> int:
    """A descriptor of an existing regular file. A symbolic link or anything else is TrailUnavailable, a missing
    file FileNotFoundError."""
    try:
        fd = os.open(path, flags | O_SAFE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise TrailUnavailable(f"{path} is a symbolic link, which is not followed") from None
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise TrailUnavailable(f"{path} is not a regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise TrailUnavailable(f"{path} is not a regular file")
    return fd


def create(path: Path) -> int:
    """A descriptor of a new file, mode 0600; FileExistsError if the name is taken."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | O_SAFE, 0o600)


def write_whole(fd: int, data: bytes) -> None:
    """All of ``data``, or OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def put_aside(folder: Path, name: str, data: bytes) -> Path:
    """Keep bytes under ``folder/name``, durable; the same bytes kept before are not written again."""
    make_folder(folder)
    path = folder / name
    with contextlib.suppress(FileExistsError):
        fd = create(path)
        try:
            write_whole(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        sync_folder(folder)
    return path


def say_unwritten(path: Path, error: Exception) -> str:
    """Why the trail at ``path`` was not written, as a sentence: what the system said of which file, and no number."""
    why = str(error)
    if isinstance(error, OSError) and error.strerror:
        why = f"{error.strerror} ({os.fsdecode(error.filename)})" if error.filename else error.strerror
    return f"the audit trail {path} cannot be written: {why}"
