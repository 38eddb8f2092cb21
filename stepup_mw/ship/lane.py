"""One anchor's way: what it has not got yet, in order, at least once, from a receipt that all processes share.

One process at a time walks it, by a file lock. Never deletes or changes what it ships, and never waits for a lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..errors import AnchorError, NoteError
from ..note import origin_of
from ..trail.cursors import Cursor
from ..trail.ending import tip_after
from ..trail.files import Layout, make_folder, open_regular
from ..trail.locks import FileLock
from ..trail.notes import read_notes
from ..trail.packing import pack_segments
from ..trail.sources import last_line_of
from .receipt import Failure, Receipt, Shelf, read_receipt, write_receipt
from .sink import Parcel, Piece
from .sinks import make_sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..settings import AnchorSettings, TrailSettings
    from ..trail.files import Sealed

_BEFORE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What one pass sent. ``size``: the lines that the anchor's last checkpoint covers now. ``recovered``: the failure
    that this pass ended."""

    notes: int = 0
    segments: int = 0
    size: int = 0
    recovered: Failure | None = None


class Lane:
    """``run`` sends what is outstanding. ``on_bytes`` is told of each piece of a segment on its way."""

    def __init__(
        self,
        settings: TrailSettings,
        anchor: AnchorSettings,
        service: str,
        clock: Callable[[], float],
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        """Sends nothing. MissingExtra where the anchor needs a package that is not there."""
        self.anchor = anchor
        self.shelf = Shelf(Layout(settings.path), anchor)
        self._layout = self.shelf.layout
        self._clock = clock
        self._cursor = Cursor(settings.path, anchor.name)
        self._lock = FileLock(self.shelf.lock)
        self._compressed = settings.compress == "zstd"
        self._seen: tuple[object, ...] = ()
        self._sink = make_sink(anchor, self.shelf, origin_of(service), clock, on_bytes)

    def has_news(self) -> bool:
        """Whether anything changed since all was sent. Cheap: looks at no content."""
        return self._look() != self._seen

    def run(self, *, settle: bool = True, stopping: Callable[[], bool] = lambda: False) -> Shipped | None:
        """Send everything outstanding. None if another process is at it.

        AnchorError, NoteError, TrailUnavailable or OSError says what stopped it; what was sent before that stays
        sent. ``settle``: a failure on record ends with this; ``stopping`` is asked between two objects.
        """
        with self._locked() as mine:
            if not mine:
                return None
            look = self._look()
            receipt = start = read_receipt(self.shelf.receipt)
            notes = segments = 0
            for after in self._notes(receipt):
                receipt, notes = self._save(after), notes + 1
                if stopping():
                    return Shipped(notes=notes, size=receipt.size)
            for piece in self._pieces(receipt, stopping):
                self._sink.send_segment(piece)
                done = replace(receipt, segment=piece.number, segment_lines=piece.last + 1)
                receipt, segments = self._save(done), segments + 1
                if stopping():
                    return Shipped(notes=notes, segments=segments, size=receipt.size)
            recovered = start.failed if settle else None
            if recovered is not None:
                self._save(replace(receipt, failed=None))
            self._seen = look
            return Shipped(notes=notes, segments=segments, size=receipt.size, recovered=recovered)

    def fail(self, why: str) -> Failure | None:
        """Remember that the anchor is down. Gives the failure, None if it is remembered already."""
        with self._locked() as mine:
            receipt = read_receipt(self.shelf.receipt)
            if not mine or receipt.failed is not None:
                return None
            failed = Failure(since=self._clock(), from_seq=receipt.size, why=why)
            self._save(replace(receipt, failed=failed))
            return failed

    def outstanding(self) -> tuple[int, int]:
        """How many checkpoints and how many bytes of segments the anchor has not got."""
        receipt = read_receipt(self.shelf.receipt)
        notes = sum(1 for _ in self._parcels(receipt))
        return notes, sum(sealed.path.stat().st_size for sealed, _ in self._segments(receipt))

    def close(self) -> None:
        """Let go of the lock file, in a forked child too."""
        self._lock.close()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        make_folder(self.shelf.root)
        mine = self._lock.try_acquire()
        try:
            yield mine
        finally:
            if mine:
                self._lock.release()

    def _save(self, receipt: Receipt) -> Receipt:
        """Keep the receipt; and, where the anchor says what it has, move the cursor that pruning asks."""
        write_receipt(self.shelf.receipt, receipt)
        if self.anchor.acknowledges:
            self._cursor.advance(size=receipt.size, segment=receipt.segment)
        return receipt

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._layout.notes, self._layout.segments))

    def _notes(self, receipt: Receipt) -> Iterator[Receipt]:
        """Send each outstanding checkpoint, or the newest; gives the receipt after each."""
        newest: tuple[Parcel, int] | None = None
        for parcel, end in self._parcels(receipt):
            newest = parcel, end
            if not self._sink.newest_only:
                yield self._send(receipt, parcel, end)
        if self._sink.newest_only and newest is not None:
            yield self._send(receipt, *newest)

    def _send(self, receipt: Receipt, parcel: Parcel, end: int) -> Receipt:
        self._sink.send(parcel)
        made = parcel.checkpoint
        root = b64encode(made.root).decode()
        return replace(receipt, size=made.size, root=root, end=end, at=self._clock())

    def _parcels(self, receipt: Receipt) -> Iterator[tuple[Parcel, int]]:
        """The outstanding checkpoints and where each ends in the file."""
        try:
            fd = open_regular(self._layout.notes, os.O_RDONLY)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "rb") as stream:
            size = os.fstat(fd).st_size
            start = receipt.end if _follows(fd, receipt) else 0
            stream.seek(start)
            for found in read_notes(stream, size - start):
                if found.torn:
                    return
                try:
                    _, made = found.parse()
                except NoteError as error:
                    raise AnchorError(f"{self._layout.notes}, before byte {start + found.end}: {error}") from None
                parcel = Parcel(note=found.data, checkpoint=made, segment_lines=receipt.segment_lines)
                yield parcel, start + found.end

    def _segments(self, receipt: Receipt) -> Iterator[tuple[Sealed, int]]:
        """The outstanding sealed segments, each with the number of its last line."""
        if self.anchor.kind != "s3" or "segments" not in self.anchor.what:
            return
        sealed = self._layout.sealed()
        for item, following in zip(sealed, [*sealed[1:], None], strict=True):
            last = following.first_seq - 1 if following is not None else _last_seq(item.path)
            if item.index > receipt.segment and last >= item.first_seq:
                yield item, last

    def _pieces(self, receipt: Receipt, stopping: Callable[[], bool]) -> Iterator[Piece]:
        """Where segments are compressed, they are sent so: what another process is compressing now waits for the next
        round."""
        if self._compressed and any(self._segments(receipt)) and pack_segments(self._layout, stopping) is None:
            return
        for item, last in self._segments(receipt):
            with item.path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").digest()
            size = item.path.stat().st_size
            yield Piece(path=item.path, number=item.index, first=item.first_seq, last=last, size=size, digest=digest)


def _follows(fd: int, receipt: Receipt) -> bool:
    """Whether the checkpoint that was sent last still ends where the receipt says."""
    if receipt.end > os.fstat(fd).st_size:
        return False
    begin = max(0, receipt.end - _BEFORE)
    return f"\n{receipt.size}\n{receipt.root}\n".encode() in os.pread(fd, receipt.end - begin, begin)


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _last_seq(path: Path) -> int:
    line = last_line_of(path)
    tip = tip_after(line) if line is not None else None
    return tip.seq - 1 if tip is not None else -1
