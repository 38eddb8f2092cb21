"""Signs the root of all lines, now and then, into ``checkpoints.note``; one process at a time, whichever comes first.

Only new lines are hashed: the compact range at the last checkpoint is kept in a file, which proves itself, since it
has to give the root that was signed. Never signs two histories: what it signs has grown out of the last root it
signed, which is kept beside the key too, and out of the last one in the file. Nothing but this module reads the key
to sign with it; a key file that is replaced is read again.
"""

from __future__ import annotations

import contextlib
import os
import threading
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from ..chain import ZERO, leaf_hash, opening, parse_opening
from ..errors import NoteError, ProofError, TrailUnavailable
from ..note import Checkpoint, Note, Signer, format_checkpoint, format_note, verify_note
from ..tree import CompactRange
from .ending import first_line
from .files import Layout, Sealed, create, open_regular, sync_data, write_whole
from .locks import FileLock
from .marks import is_mark
from .memory import Kept, Memory
from .notes import append_note, last_checkpoint, read_signer
from .pruned import find_start
from .sources import Source, lines_from, segment, take_view

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..settings import TrailSettings


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint just signed, and the bytes of its note as they stand in ``checkpoints.note``."""

    checkpoint: Checkpoint
    note: bytes
    key_id: str
    unkept: str = ""
    """Why it could not be kept beside the key, if it could not."""


class Forked(TrailUnavailable):
    """The trail does not continue what was signed before."""

    code = "fork"


@dataclass(slots=True)
class _Progress:
    """How far the tree has been built: ``range`` over the lines before byte ``offset`` of the file that begins with
    line ``first_seq``; ``leaf`` is the last one's hash. ``fresh``: whether a line worth signing came since."""

    range: CompactRange
    leaf: bytes = ZERO
    first_seq: int = 0
    offset: int = 0
    fresh: bool = False


class Checkpoints:
    """``sign`` makes a checkpoint of everything written so far."""

    def __init__(self, settings: TrailSettings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._layout = Layout(settings.path)
        self._lock = FileLock(self._layout.signing_lock)
        self._writing = FileLock(self._layout.lock)
        self._mutex = threading.Lock()
        self._signer: Signer | None = None
        self._key_file = (0, 0, 0)
        self._last: Checkpoint | None = None

    def sign(self, patience_s: float = 0.0) -> Signed | None:
        """The checkpoint signed now. None if another process is at it, for longer than ``patience_s``, or no line worth
        it is new.

        NoteError or TrailUnavailable, and nothing signed, if the key cannot be used; Forked if the trail does not
        continue what was signed before.
        """
        if self._settings.signing_key_file is None:
            return None
        with self._mutex:  # a flock keeps out other processes, not the other threads that share it
            if not self._lock.try_acquire(patience_s):
                return None
            try:
                return self._sign(self._settings.signing_key_file)
            finally:
                self._lock.release()

    def close(self) -> None:
        """Let go of the lock files, without unlocking."""
        self._lock.close()
        self._writing.close()

    def _sign(self, key_file: Path) -> Signed | None:
        signer = self._read_key(key_file)
        memory = Memory(key_file, signer.name)
        known = last_checkpoint(self._layout.notes)
        note, last, end = known if known is not None else (None, None, 0)
        kept = memory.read()
        cut_off = kept is not None and kept.end == end and (last is None or last.size < kept.checkpoint.size)
        remembered = kept.checkpoint if kept is not None else None
        signed = [item for item in (last, remembered, self._last) if item is not None]
        progress = self._progress(signer, note, last)
        self._advance(progress, signed)
        if max(_size(self._last), 0 if cut_off else _size(remembered)) > _size(last):
            raise TrailUnavailable(f"{self._layout.notes} lost checkpoints that were in it: nothing more is signed")
        if kept is not None and cut_off:  # a crash came between the two writes
            append_note(self._layout.notes, end, kept.note)
            end += len(kept.note)
        if not progress.fresh:
            return None
        made = Checkpoint(origin=signer.name, size=progress.range.size, root=progress.range.root())
        text = format_checkpoint(made)
        data = format_note(text, [signer.sign(text)])
        unkept = memory.keep(Kept(checkpoint=made, note=data, end=end))
        append_note(self._layout.notes, end, data)
        self._last = made
        self._keep(progress)
        return Signed(made, data, signer.vkey.key_id.hex(), unkept)

    def _read_key(self, path: Path) -> Signer:
        """The key, read again if the file is another one than before."""
        try:
            status = path.stat()
        except OSError as error:
            raise NoteError(f"the signing key {path} cannot be read: {error.strerror}") from None
        found = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if self._signer is None or found != self._key_file:
            self._signer, self._key_file = read_signer(path, self._service), found
        return self._signer

    def _progress(self, signer: Signer, note: Note | None, last: Checkpoint | None) -> _Progress:
        """Where the last checkpoint left off, if the file that says so agrees with what we signed; else the start."""
        if note is None or last is None:
            return self._from_start()
        try:
            verify_note(note, signer.vkey)
            kept = orjson.loads(self._layout.state.read_bytes())
            found = CompactRange(kept["size"], [b64decode(item) for item in kept["hashes"]])
            if (found.size, found.root()) == (last.size, last.root):
                return _Progress(found, b64decode(kept["leaf"]), int(kept["first_seq"]), int(kept["offset"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, NoteError, ProofError):
            pass
        return self._from_start()

    def _from_start(self) -> _Progress:
        """Before the first line there is."""
        view = take_view(self._layout)
        try:
            start = find_start(view.sources)
        finally:
            view.close()
        if not start.known:
            raise Forked(f"the first {start.seq} lines are missing, and no record says that they were removed")
        return _Progress(start.range.copy(), start.leaf, start.seq)

    def _advance(self, progress: _Progress, signed: Sequence[Checkpoint]) -> None:
        """Hash on to the end of the trail, which is made durable first: what is signed must never get lost."""
        sealed, fd = self._snapshot()
        try:
            for item in sealed:
                if item.first_seq >= progress.first_seq:
                    _read(progress, segment(item.path), item.first_seq, signed)
            place, size = parse_opening(first_line(fd)), os.fstat(fd).st_size
            _read(progress, Source(self._layout.live, size, fd=fd), 0 if place is None else place.seq, signed)
        finally:
            os.close(fd)
        most = max((item.size for item in signed), default=0)
        if progress.range.size < most:
            raise Forked(f"only {progress.range.size} of {most} signed lines are left: nothing is signed")

    def _snapshot(self) -> tuple[list[Sealed], int]:
        """The files of the trail at one moment when nobody writes; the live one open, since it may be renamed."""
        self._writing.acquire()
        try:
            return self._layout.sealed(), open_regular(self._layout.live, os.O_RDONLY)
        finally:
            self._writing.release()

    def _keep(self, progress: _Progress) -> None:
        """Written anew beside and renamed; if that fails, the next checkpoint hashes everything once more."""
        data = {
            "size": progress.range.size,
            "hashes": [b64encode(item).decode() for item in progress.range.hashes],
            "leaf": b64encode(progress.leaf).decode(),
            "first_seq": progress.first_seq,
            "offset": progress.offset,
        }
        draft = self._layout.state.with_suffix(".draft")
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
            fd = create(draft)
            try:
                write_whole(fd, orjson.dumps(data))
            finally:
                os.close(fd)
            draft.rename(self._layout.state)


def _size(checkpoint: Checkpoint | None) -> int:
    return checkpoint.size if checkpoint is not None else 0


def _read(progress: _Progress, source: Source, first_seq: int, signed: Sequence[Checkpoint]) -> None:
    with source.current().descriptor() as fd:
        sync_data(fd)
    if first_seq != progress.first_seq:
        progress.first_seq, progress.offset = first_seq, 0
    _hash(progress, source, signed)


def _hash(progress: _Progress, source: Source, signed: Sequence[Checkpoint]) -> None:
    roots = {item.size: item.root for item in signed}
    for offset, line in lines_from(source, progress.offset):
        if not line.startswith(opening(progress.range.size, progress.leaf)):
            raise Forked(f"line {progress.range.size} of the trail is not in {source.path}: nothing is signed")
        progress.leaf = leaf_hash(line)
        progress.range.append(progress.leaf)
        progress.offset = offset + len(line) + 1
        progress.fresh = progress.fresh or not is_mark(line, "checkpoint")
        size = progress.range.size
        if size in roots and progress.range.root() != roots[size]:
            raise Forked(f"the first {size} lines are not those that were signed: nothing is signed")
