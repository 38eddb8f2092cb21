"""The open live file of a trail and the end of its chain: opening it, adding to it, sealing it and beginning the next.

All of it happens while the caller holds the lock. OSError says that the system refused, and then the chain has not
moved; TrailUnavailable that the file is not one to be continued.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from ..chain import Tip, link, parse_opening
from ..encoding import parse_timestamp
from ..errors import TrailUnavailable
from . import recovery
from .ending import continues, first_line, last_line, read_ending, scan, tip_after
from .files import create, identity, make_folder, open_regular, sync_data, sync_folder, write_whole
from .marks import event_of, said_again

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .files import Layout
    from .marks import Marks


class Live:
    """``tip`` and ``size``: the end of the chain and of the file as last seen or written. ``first_seq`` and ``since``:
    the number and the time of the file's first line. ``quiet``: returns once no other thread syncs the file, with what
    the system said if that failed."""

    __slots__ = ("_layout", "_marks", "fd", "file", "first_seq", "quiet", "since", "size", "tip")

    def __init__(self, layout: Layout, marks: Marks) -> None:
        self._layout = layout
        self._marks = marks
        self.quiet: Callable[[], OSError | None] = lambda: None
        self.fd: int | None = None
        self.file = (0, 0)
        self.size = 0
        self.tip = Tip()
        self.first_seq = 0
        self.since = 0.0

    def open(self) -> list[bytes]:
        """Open the live file, or begin one. Gives the records of what was found and repaired, to be written first."""
        layout = self._layout
        recovery.finish_rotation(layout)
        try:
            fd = open_regular(layout.live, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            return self._begin()
        try:
            size = os.fstat(fd).st_size
            ending = read_ending(fd, size)
            tip = ending.tip or recovery.sealed_tip(layout)
            recovery.require_whole(layout, tip.seq)
            notices = [self._repair(fd, ending.end, size, tip)] if ending.end < size else []
        except BaseException:
            os.close(fd)
            raise
        self._take(fd, tip, ending.end)
        return notices

    def close(self) -> None:
        """Let go of the file, but not under the hands of one who syncs it."""
        self.quiet()
        fd, self.fd = self.fd, None
        if fd is not None:
            os.close(fd)

    def write(self, bodies: Sequence[bytes]) -> None:
        """Append closed records in one write. If the disk takes only a part, that part is taken back."""
        data, tip = link(bodies, self.tip)
        if os.write(self._open_fd, data) != len(data):
            self.take_back()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += len(data)
        self.tip = tip

    def take_back(self) -> None:
        """Cut off what a failed write may have left; if that fails too, the next look at the file finds it torn."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._open_fd, self.size)

    def catch_up(self, size: int) -> list[bytes]:
        """Move to the new end of a file that others have added to. TrailUnavailable if what they added does not follow
        what was there. Gives what has to be put on record."""
        if continues(self._open_fd, self.size, self.tip):
            line = last_line(self._open_fd, self.size, size)
            tip = tip_after(line) if line is not None else None
            if tip is not None and tip.seq > self.tip.seq:
                self.tip, self.size = tip, size
                return []
        ending = scan(self._open_fd, self.size, size, self.tip)
        self.tip = ending.tip or self.tip
        notices = [self._repair(self._open_fd, ending.end, size, self.tip)] if ending.end < size else []
        self.size = ending.end
        return notices

    def catch_up_to_end(self) -> list[bytes]:
        """``catch_up`` for a file that no longer has its name."""
        size = os.fstat(self._open_fd).st_size
        return self.catch_up(size) if size > self.size else []

    def rescue(self) -> None:
        """Save the lines of this file, which no longer has its name, as a sealed segment."""
        recovery.rescue(self._layout, self._open_fd, self.size, self.first_seq)

    def roll(self, first: Sequence[bytes], again: Sequence[bytes] = (), *, seal: bool = True) -> Path | None:
        """Seal the file and begin the next with the closed records ``first`` and then ``again``, which say that they
        are written again.

        The next file is complete and durable before it takes the name. ``seal=False``: what stands at the name is
        overwritten. Gives the sealed segment.
        """
        head, tip = link(first, self.tip)
        rest, tip = link(map(said_again, again), tip)
        fd = self._draft(head + rest)
        sealed: Path | None = None
        try:
            if seal:
                make_folder(self._layout.segments)
                sealed = self._layout.next_sealed(self.first_seq)
                self._layout.live.rename(sealed)
            self._layout.fresh.rename(self._layout.live)
        except OSError:
            os.close(fd)
            self._undo(sealed)
            raise
        self._take(fd, tip, len(head) + len(rest))
        if sealed is not None:
            sync_folder(self._layout.segments)
        sync_folder(self._layout.folder)
        return sealed

    def sync(self) -> None:
        """Make durable what stands in the file. A sync that failed before tells this one, too: the system would not."""
        failure = self.quiet()
        if failure is not None:
            raise failure
        self._sync(self._open_fd)

    def sync_beside(self) -> None:
        """``sync`` for the thread that ``quiet`` waits for."""
        if self.fd is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._sync(self.fd)

    def _sync(self, fd: int) -> None:
        """OSError also where somebody cut or deleted the file meanwhile: then it is not stored what was written. What
        was sealed may be gone since it was compressed."""
        size = self.size
        sync_data(fd)
        now = os.fstat(fd)
        if now.st_size < size or (now.st_nlink == 0 and not recovery.has_sealed(self._layout, self.first_seq)):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    @property
    def _open_fd(self) -> int:
        if self.fd is None:
            raise TrailUnavailable("the audit trail is not open")
        return self.fd

    def _begin(self) -> list[bytes]:
        """No live file: the first start ever, or somebody removed it while no process ran."""
        tip = recovery.sealed_tip(self._layout)
        recovery.require_whole(self._layout, tip.seq)
        fd = create(self._layout.live)
        sync_folder(self._layout.folder)
        self._take(fd, tip, 0)
        if tip.seq == 0:
            return []
        return [self._marks.mark("file_replaced", {"what": "missing", "last_seq": tip.seq - 1})]

    def _draft(self, data: bytes) -> int:
        self._layout.fresh.unlink(missing_ok=True)
        fd = create(self._layout.fresh)
        try:
            write_whole(fd, data)
            os.fsync(fd)
        except OSError:
            os.close(fd)
            self._layout.fresh.unlink(missing_ok=True)
            raise
        return fd

    def _undo(self, sealed: Path | None) -> None:
        """Leave a rotation that failed as if it had not been tried. Nobody is told that the lines of the next file are
        written, so it must not be there for a later start to take over; if the old one cannot have its name back
        either, the next look at it begins another and says that it was missing."""
        with contextlib.suppress(OSError):
            if sealed is not None and not os.path.lexists(self._layout.live):
                sealed.rename(self._layout.live)
        with contextlib.suppress(OSError):
            self._layout.fresh.unlink(missing_ok=True)

    def _take(self, fd: int, tip: Tip, size: int) -> None:
        """From now on this is the live file."""
        self.close()
        self.fd, self.tip, self.size = fd, tip, size
        self.file = identity(os.fstat(fd))
        line = first_line(fd)
        place = parse_opening(line)
        self.first_seq = tip.seq if place is None else place.seq
        try:
            self.since = parse_timestamp(str(event_of(line).get("timestamp")))
        except ValueError:
            self.since = self._marks.clock()

    def _repair(self, fd: int, end: int, size: int, tip: Tip) -> bytes:
        taken = recovery.quarantine(self._layout, fd, end, size)
        return self._marks.mark("recovered", {**taken, "next_seq": tip.seq})
