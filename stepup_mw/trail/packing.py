"""Compresses sealed segments after the fact (``audit.compress``), beside the writing: no line waits for it.

    segments/000007-….jsonl   ->   segments/.packing   ->   segments/000007-….jsonl.zst, durable, then the first goes

One process at a time does it. The lines stay the same, so whoever reads them reads on. What is cut off is done anew.
"""

from __future__ import annotations

import contextlib
import os
import threading
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING

from ..errors import TrailUnavailable
from .files import create, open_regular, sync_folder
from .locks import FileLock
from .zst import SUFFIX, Unpacked, pack, read_frames

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..settings import TrailSettings
    from .files import Layout


def pack_segments(layout: Layout, stopping: Callable[[], bool] = lambda: False) -> int | None:
    """Compress the sealed segments that are not yet, at least one of them. Gives how many that were; None if another
    process is at it. OSError or TrailUnavailable if one cannot be compressed: it stays as it was, and the others are
    not kept back. While a legal hold is in force none is."""
    lock = FileLock(layout.packing_lock)
    try:
        if not lock.try_acquire():
            return None
        done, problem = 0, None
        for sealed in layout.sealed():
            if (done and stopping()) or os.path.lexists(layout.hold):
                break
            if sealed.path.suffix != SUFFIX:
                try:
                    _pack(layout, sealed.path)
                    done += 1
                except (OSError, TrailUnavailable) as error:
                    problem = problem or error
        if problem is not None:
            raise problem
        return done
    finally:
        lock.close()


class Packer:
    """Does it in a thread of the writer's process, at its start and after each rotation. ``on_problem`` is told why one
    could not be compressed, once."""

    def __init__(self, settings: TrailSettings, layout: Layout, on_problem: Callable[[str], None]) -> None:
        self._wanted = settings.compress == "zstd"
        self._layout = layout
        self._on_problem = on_problem
        self._problem = ""
        self._rotations = -1
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tend(self, rotations: int) -> None:
        """Begin, if there may be something to do and nobody of this process is at it."""
        if self._wanted and rotations != self._rotations and (self._thread is None or not self._thread.is_alive()):
            self._rotations = rotations
            self._thread = threading.Thread(target=self._run, name="stepup-pack", daemon=True)
            with contextlib.suppress(RuntimeError):  # the interpreter is ending: the next start does it
                self._thread.start()

    def close(self) -> None:
        """Finish the one it is at; the rest is left to the next start."""
        self._stop.set()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            pack_segments(self._layout, self._stop.is_set)
        except (OSError, TrailUnavailable) as error:
            if str(error) != self._problem:
                self._problem = str(error)
                self._on_problem(self._problem)


def _pack(layout: Layout, path: Path) -> None:
    draft = layout.segments / ".packing"
    draft.unlink(missing_ok=True)
    source = open_regular(path, os.O_RDONLY)
    try:
        target = create(draft)
        try:
            pack(source, target)
            os.fsync(target)
            _compare(path, source, target)
        finally:
            os.close(target)
        draft.rename(path.with_name(path.name + SUFFIX))
    finally:
        os.close(source)
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    sync_folder(layout.segments)
    path.unlink()
    sync_folder(layout.segments)


def _compare(path: Path, source: int, target: int) -> None:
    """TrailUnavailable unless the lines come out as they went in."""
    size, digest = os.fstat(source).st_size, sha256()
    try:
        frames = read_frames(target, 0, os.fstat(target).st_size)
    except TrailUnavailable as error:
        raise TrailUnavailable(f"{path} cannot be compressed, {error}: it stays as it is") from None
    buffer = bytearray(1 << 20)
    lines = Unpacked(target, frames, 0, size)
    while count := lines.readinto(buffer):
        digest.update(memoryview(buffer)[:count])
    with open(source, "rb", closefd=False) as stream:
        stream.seek(0)
        if file_digest(stream, "sha256").digest() != digest.digest():
            raise TrailUnavailable(f"{path} does not come out of compression as it went in: it stays as it is")
