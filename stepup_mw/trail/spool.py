"""What a writer keeps for later, on disk too, so that a process that is killed does not take it along.

    audit/.stepup.<life>.spool     one record a line, as it was handed in; locked while its writer lives

A later writer takes over what is left of one that is gone, once the trail can be written: without what got there after
all, each with ``"spooled":true``. Where there is no room this keeps nothing: see ``disk`` for that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from typing import TYPE_CHECKING

from ..chain import is_record, parse_line
from ..errors import LineError, TrailUnavailable
from .files import open_regular, sync_folder, write_whole
from .locks import FileLock
from .marks import ROOM
from .recent import backwards, newest_files
from .waiting import Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from .files import Layout

_LATE = b',"spooled":true}'
_NAME = ".stepup.{}.spool"
_MOST = 8 << 20
_LOOK_BACK = 64 << 20
"""How much of the trail's end is searched for records that got there just before their writer died."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_ID = re.compile(rb'"event_id":"([^"\\]{1,64})"')


class Spool:
    """Of one writer; called by its thread."""

    def __init__(self, layout: Layout, life: str) -> None:
        self._path = layout.folder / _NAME.format(life)
        self._lock = FileLock(self._path)
        self._fd: int | None = None

    def keep(self, records: Iterable[bytes], error: Exception) -> bool:
        """Add records that ``error`` keeps out of the trail. Gives whether they are on stable storage."""
        if getattr(error, "errno", None) in _NO_ROOM:
            return False
        try:
            if self._fd is None:
                if not self._lock.try_acquire():
                    return False
                self._fd = open_regular(self._path, os.O_RDWR | os.O_APPEND)
                sync_folder(self._path.parent)
            write_whole(self._fd, b"".join(record + b"\n" for record in records))
            os.fsync(self._fd)
        except (OSError, TrailUnavailable):
            return False
        return True

    def clear(self) -> None:
        """All of it stands in the trail, durable."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
            self.close()

    def close(self) -> None:
        """Let go, in a forked child too; what is in the file is the next writer's."""
        self._lock.close()
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


class Orphan(Ticket):
    """The spool of a writer that is gone, locked: ``records`` as they are to be written now. Settled when they are in
    the trail (None) or kept once more (True): then it is removed. Else a later writer has it."""

    def __init__(self, path: Path, lock: FileLock, records: list[bytes]) -> None:
        super().__init__()
        self.records = records
        self._path = path
        self._lock = lock

    def set_result(self, result: bool | None) -> None:
        if result is not False:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._lock.close()
        super().set_result(result)

    def set_exception(self, error: Exception) -> None:
        self._lock.close()
        super().set_exception(error)


def find_orphans(layout: Layout) -> Iterator[Orphan]:
    """Each spool that no living writer holds."""
    for path in sorted(layout.folder.glob(_NAME.format("*"))):
        lock = FileLock(path)
        try:
            if lock.try_acquire():
                records = _read(path)
                done = _written(layout) if records else frozenset[bytes]()
                left = [record for record in records if not _ids(record) & done]
                yield Orphan(path, lock, [_said_late(record) for record in left])
        except (OSError, TrailUnavailable):
            lock.close()


def _said_late(record: bytes) -> bytes:
    """The record as one that was kept; once, however often that was."""
    return record if record.endswith(_LATE) else record[:-1] + _LATE


def _read(path: Path) -> list[bytes]:
    """The records of a spool; what is none, or was not finished, was never said to be kept."""
    fd = open_regular(path, os.O_RDONLY)
    with os.fdopen(fd, "rb") as stream:
        *whole, _ = stream.read(_MOST).split(b"\n")
    return [line for line in whole if _is_whole(line)]


def _is_whole(line: bytes) -> bool:
    try:
        return is_record(line, ROOM) and bool(parse_line(line))
    except LineError:
        return False


def _ids(line: bytes) -> frozenset[bytes]:
    return frozenset(_ID.findall(line))


def _written(layout: Layout) -> frozenset[bytes]:
    """The event ids at the end of the trail."""
    found: set[bytes] = set()
    for path in newest_files(layout.live):
        for line in backwards(path, _LOOK_BACK):
            found |= _ids(line)
    return frozenset(found)
