"""The trail as one process writes it: under the lock, after a look at what others did to the live file.

Every method is called by one thread at a time. OSError says that the system refused; TrailUnavailable that the trail
is not in a state to be continued. A line is durable after ``sync`` or ``again``, not before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from ..errors import TrailUnavailable
from . import recovery
from .disk import Disk, free_bytes
from .files import Layout, identity, make_folder
from .live import Live
from .locks import FileLock
from .syncing import Syncer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..chain import Tip
    from ..settings import TrailSettings
    from .marks import Marks

_PLACE = len(b'{"prev":"","seq":,\n') + 44 + 16
"""The most that ``prev`` and ``seq`` add to a closed record."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_FULL = _NO_ROOM | {errno.EFBIG}


class Ledger:
    """Appends records to the chain that all processes of the host share."""

    def __init__(self, settings: TrailSettings, marks: Marks, on_rest: Callable[[bool], None]) -> None:
        """``on_rest``: see ``Syncer``."""
        self.layout = Layout(settings.path)
        self._settings = settings
        self._marks = marks
        self._lock = FileLock(self.layout.lock)
        self._live = Live(self.layout, marks)
        self.syncer = Syncer(self._live.sync_beside, on_rest)
        self._live.quiet = self.syncer.wait
        self.disk = Disk(settings, self.layout.reserve, free_bytes)
        self._notices = [marks.start(settings.durability)]
        self._failed: OSError | None = None
        self.rotations = 0

    @property
    def failed(self) -> OSError | None:
        """What the system said to a sync that failed, until what was written since the one before stands elsewhere."""
        return self._failed

    @property
    def tip(self) -> Tip:
        """The end of the chain as this process last saw it."""
        return self._live.tip

    def append(self, bodies: Sequence[bytes], *, vital: bool = False) -> None:
        """Write all of these closed records in order with nothing between them, or none of them. ``vital``: also into
        the room that is kept for the record of what happened."""
        with self._locked(), self._within_room():
            self._put([*([] if vital else self._room_again()), *bodies])

    def watch_disk(self) -> None:
        """Have a reserve, and put on record when the disk comes to another stage."""
        stage = self.disk.measure()
        if self.disk.looked and (stage == self.disk.stage or self.disk.refuses):
            return
        with self._locked(), self._within_room():
            self.disk.keep()
            if stage != self.disk.stage and not self.disk.refuses:
                self._put([self._marks.pressure(stage, self.disk.stage)])
                self.disk.tell(stage)

    def beat(self, body: bytes) -> bool:
        """Write a closed record only if nobody has written since this process last looked."""
        before = self.tip
        with self._locked():
            if self.tip != before:
                return False
            self._put([body])
        return True

    def sync(self) -> None:
        """Make durable what was appended. After an OSError only ``again`` can."""
        try:
            self._live.sync()
        except OSError as error:
            self._failed = error
            raise

    def again(self, bodies: Sequence[bytes], failed: OSError) -> None:
        """Write closed records a second time, into a new file, after a sync failed: what the system could not store it
        reports only once, so a second sync of the same file would prove nothing. Durable on return."""
        self._failed = failed
        with self._locked(), self._within_room():
            self._live.roll([self._io_error(failed, len(bodies)), *self._notices], bodies)
            self._settled()

    def rotate(self) -> Path | None:
        """Seal the live file now and begin another. Gives the sealed segment; None if there was nothing in it."""
        with self._locked(), self._within_room():
            if self._live.size == 0:
                return None
            sealed = self._rotate(self._notices)
            self._settled()
            return sealed

    def end(self) -> tuple[tuple[int, int], int, int]:
        """The live file, its size and the number of lines so far, at a moment when nobody writes."""
        with self._locked():
            return self._live.file, self._live.size, self._live.tip.seq

    def close(self) -> None:
        """Let go of the files. Nothing is unlocked: in a forked child the lock is its parent's."""
        self._live.close()
        self._lock.close()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._live.fd is None:
            make_folder(self.layout.folder)
        self._lock.acquire()
        try:
            self._look()
            yield
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def _within_room(self) -> Iterator[None]:
        """Where the disk turns out to be full, give the reserve back and say so in its place. Then it is refused."""
        try:
            yield
        except OSError as error:
            before = self.disk.stage
            if error.errno in _NO_ROOM and self.disk.run_full():
                with contextlib.suppress(OSError, TrailUnavailable):
                    self._write([self._marks.pressure("full", before)])
                    self.sync()
            raise

    def _room_again(self) -> list[bytes]:
        """What to say where the disk was full and is no more; nothing where it was not. OSError where it still is."""
        if not self.disk.refuses:
            return []
        if not self.disk.recover():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return [self._marks.pressure(self.disk.stage, "full")]

    def _look(self) -> None:
        """Notice, before anything is written, whatever happened to the live file since the last time."""
        live = self._live
        if live.fd is None:
            self._notices[:0] = live.open()
            return
        try:
            now = self.layout.live.stat(follow_symlinks=False)
        except FileNotFoundError:
            self._moved("deleted")
            return
        if identity(now) != live.file:
            self._moved("replaced")
        elif now.st_size < live.size:
            self._replace("truncated")
        elif not self._caught_up(now.st_size):
            self._replace("rewritten")
        elif not now.st_mode & stat.S_IWUSR:
            self._replace("unwritable")

    def _caught_up(self, size: int) -> bool:
        """Know what others have added, if anything: a file that is sealed before that would be continued from a line in
        its middle. False if it does not follow what was there."""
        if size > self._live.size:
            try:
                self._notices += self._live.catch_up(size)
            except TrailUnavailable:
                return False
        return True

    def _moved(self, what: str) -> None:
        """Another file, or none, stands at the name: another process rotated, or somebody's hand was here."""
        live, seen = self._live, self._live.tip.seq
        if not recovery.is_sealed(self.layout, live.file):
            with contextlib.suppress(TrailUnavailable):
                self._notices += live.catch_up_to_end()
            if not recovery.is_continued(self.layout, live.tip):
                aside = recovery.move_aside(self.layout)
                live.rescue()
                return self._begin_anew(what, seal=False, aside=aside.name if aside else None)
        live.close()
        self._notices += live.open()
        if live.tip.seq < seen:
            raise TrailUnavailable(f"the audit trail went back from line {seen} to {live.tip.seq}: see `stepup verify`")
        return None

    def _replace(self, what: str) -> None:
        """The file itself can no longer be trusted: what is left of it is sealed as it is."""
        self._begin_anew(what, seal=self.layout.live.stat().st_size > 0, aside=None)

    def _begin_anew(self, what: str, *, seal: bool, aside: str | None) -> None:
        """Go on from the remembered end of the chain in a new file whose first line says why."""
        detail = {"what": what, "last_seq": self.tip.seq - 1, "expected_bytes": self._live.size, "aside": aside}
        self._live.roll([self._marks.mark("file_replaced", detail), *self._notices], seal=seal)
        self._settled()

    def _put(self, bodies: Sequence[bytes]) -> None:
        whole = [*self._notices, *bodies]
        if self._failed is not None:
            self._live.roll([self._io_error(self._failed, 0), *whole])
        elif self._due(whole):
            self._rotate(whole)
        else:
            self._write(whole)
        self._settled()

    def _write(self, bodies: Sequence[bytes]) -> None:
        try:
            self._live.write(bodies)
        except OSError as error:
            self._live.take_back()
            if error.errno in _FULL:
                raise
            self._live.roll([self._io_error(error, 0), *bodies])

    def _due(self, bodies: Sequence[bytes]) -> bool:
        live, limit, every = self._live, self._settings.rotate_size, self._settings.rotate_every_s
        if live.size == 0:
            return False
        if limit is not None and live.size + sum(map(len, bodies)) + len(bodies) * _PLACE > limit:
            return True
        return every is not None and self._marks.clock() - live.since >= every

    def _rotate(self, bodies: Sequence[bytes]) -> Path | None:
        """The old file is durable before its successor is."""
        self.sync()
        name = self.layout.next_sealed(self._live.first_seq).name
        self.rotations += 1
        detail = {"segment": name, "first_seq": self._live.first_seq, "last_seq": self.tip.seq - 1}
        return self._live.roll([self._marks.mark("rotated", detail), *bodies])

    def _settled(self) -> None:
        self._notices = []
        self._failed = None

    def _io_error(self, error: OSError, again: int) -> bytes:
        name = errno.errorcode.get(error.errno or 0, "EIO")
        return self._marks.mark("io_error", {"error": name, "again": again, "last_seq": self.tip.seq - 1})
