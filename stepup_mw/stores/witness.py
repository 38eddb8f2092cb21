"""What is remembered of a store outside of it: one small file, which a copy of the store put back does not take along.

    3f1c…                  the name of the life, 32 hex digits
    00000000000000000017   how far each count had come, STRIPES of them
    …

It stands where the audit trail is (``.stepup.store``), and for an SQLite file also beside that (``stepup.db-life``).
Whoever puts back an old copy of this file too is found out where checkpoints are signed, at the next start: the signer
remembers outside of that folder how long the trail was (``trail.rolled_back``). It is written at every step that uses
something up, and not synced: what a power failure takes makes a loss harder to see, never a sound store look lost.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import StoreUnavailable
from .lives import STRIPES, Life, Note
from .removals import Removals

_HEAD = 33
_COUNT = 21
_TEXT = re.compile(rb"([0-9a-f]{32})\n((?:[0-9]{20}\n){%d})" % STRIPES)
_COUNTS = b"\n" + b"%020d\n" * STRIPES
_SIZE = _HEAD + _COUNT * STRIPES
DAMAGED = Note(name="", spent=(1,) * STRIPES)
"""What stands for a file that holds something else: no store is the one it was."""


class Witness:
    """One file. Every call may be an OSError; any thread may call. ``spent`` is on the way of many steps, and keeps the
    file open from one to the next; the others look for it anew. None asks for its status: on Linux 6.13 the next write
    had a time of its own to record then, and the next sync of that disk took a quarter longer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = _Handle()

    def read(self) -> Note | None:
        """None where there is no such file."""
        self._own().close()
        try:
            return parse_note(self._text())
        except FileNotFoundError:
            return None

    def _text(self) -> bytes:
        handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return os.read(handle, 4 * _SIZE)
        finally:
            os.close(handle)

    def keep(self, life: Life) -> None:
        """Remember this life from now on; the folder is made where it is missing."""
        self._make(format_note(life))

    def _make(self, note: bytes) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(handle, note, 0)
            os.ftruncate(handle, _SIZE)
        finally:
            os.close(handle)

    def spent(self, stripe: int, count: int) -> None:
        """One count has come so far."""
        self._own().write(self.path, b"%020d\n" % count, _HEAD + _COUNT * stripe)

    def reach(self, note: bytes) -> None:
        """A life has come so far; what is remembered of it may be further, for another process is ahead."""
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._make(note)
        except PermissionError:
            if _reaches(self._text(), note):
                return None
            raise
        try:
            there = os.pread(handle, _SIZE + 1, 0)
            if not _reaches(there, note):
                os.pwrite(handle, note, 0)
            if len(there) > _SIZE:
                os.ftruncate(handle, _SIZE)
        finally:
            os.close(handle)

    def _own(self) -> _Handle:
        if self._handle.pid != os.getpid():  # a lock may be held by a thread that is not here
            self._handle = _Handle()
        return self._handle


class _Handle:
    """The file of one process, open or not. What a forked child inherits stays open in it; it is one descriptor."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._lock = threading.Lock()
        self._open = -1

    def write(self, path: Path, data: bytes, at: int) -> None:
        with self._lock:
            if self._open < 0:
                self._open = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            os.pwrite(self._open, data, at)

    def close(self) -> None:
        with self._lock:
            if self._open >= 0:
                os.close(self._open)
            self._open = -1

    def __del__(self) -> None:
        if self.pid == os.getpid() and self._open >= 0:
            os.close(self._open)


def format_note(life: Life | Note) -> bytes:
    return life.name.encode("ascii") + _COUNTS % life.spent


def _reaches(there: bytes, note: bytes) -> bool:
    """Numbers of a note are of one width, so that its bytes compare as they do."""
    return len(there) == _SIZE and there[:_HEAD] == note[:_HEAD] and there >= note


def parse_note(text: bytes) -> Note:
    """``DAMAGED`` for what ``format_note`` does not write."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return DAMAGED
    return Note(name=match[1].decode("ascii"), spent=tuple(map(int, match[2].split())))


def distrust(path: Path, mark: str) -> None:
    """The file is as old as the folder it stands in, which was put back: from now on it stands for no store, and what
    is found in the store's place is a loss. Once for each ``mark``, over all processes. StoreUnavailable."""
    marker = path.with_name(".stepup.distrusted")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.read(handle, _SIZE) != mark.encode("ascii"):
                path.unlink(missing_ok=True)
                path.write_text("distrusted\n", "ascii")
                path.chmod(0o600)
                os.pwrite(handle, mark.encode("ascii"), 0)
                os.ftruncate(handle, len(mark))
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreUnavailable(f"{path}, which is older than what was signed, cannot be put aside: {error}") from error


class Memory:
    """What stands in for a witness where there is no file: what this process has seen."""

    def __init__(self) -> None:
        self._note: Note | None = None

    def read(self) -> Note | None:
        return self._note

    def keep(self, life: Life) -> None:
        self._note = Note(name=life.name, spent=life.spent)

    def spent(self, stripe: int, count: int) -> None:
        if self._note is not None:
            counts = list(self._note.spent)
            counts[stripe] = count
            self._note = Note(name=self._note.name, spent=tuple(counts))


class Watch:
    """A server's life as this process remembers it. Read ``known`` before the server is asked, never after: others
    go on meanwhile. ``clock``: Unix seconds."""

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._witness: Witness | Memory = Witness(path) if path else Memory()
        self.removals = Removals(path)
        self.clock = clock

    def known(self) -> Note | None:
        return self._witness.read()

    def keep(self, known: Note | None, life: Life) -> None:
        """The server is as it should be, or has begun a new life: remember it, and how far others have come in it."""
        if known is None or known.name != life.name or known.spent != life.spent:
            self._witness.keep(life)

    def spent(self, stripe: int, count: int) -> None:
        """A step of ours has used something up. Where the file is gone, the next look at the server makes it anew."""
        with suppress(FileNotFoundError):
            self._witness.spent(stripe, count)
