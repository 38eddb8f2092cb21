"""What is done, under the lock, for a trail that a crash or a hand has touched: finish, quarantine, rescue, or refuse.

A crash is repaired and the repair put on record. A trail that is shorter than a signed checkpoint is never repaired.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ..chain import Tip, opening
from ..errors import NoteError, TrailUnavailable
from .ending import tip_after
from .files import create, identity, make_folder, put_aside, sync_folder, write_whole
from .notes import last_checkpoint
from .sources import last_line_of, segment

if TYPE_CHECKING:
    from pathlib import Path

    from .files import Layout

_BLOCK = 1024 * 1024


def finish_rotation(layout: Layout) -> None:
    """Complete a rotation that a crash cut off after the old file was sealed; drop one that had not come that far."""
    if not layout.fresh.exists():
        return
    if os.path.lexists(layout.live):
        layout.fresh.unlink()
    else:
        layout.fresh.rename(layout.live)
        sync_folder(layout.folder)


def quarantine(layout: Layout, fd: int, end: int, size: int) -> dict[str, Any]:
    """Move the torn bytes ``fd[end:size]`` to ``torn/<sha256>`` and cut them off. What ``audit/recovered`` says."""
    digest = sha256()
    data = []
    for offset in range(end, size, _BLOCK):
        data.append(os.pread(fd, min(_BLOCK, size - offset), offset))
        digest.update(data[-1])
    put_aside(layout.torn, digest.hexdigest(), b"".join(data))
    os.ftruncate(fd, end)
    os.fsync(fd)
    return {"bytes": size - end, "sha256": digest.hexdigest(), "offset": end}


def sealed_tip(layout: Layout) -> Tip:
    """The tip after the last sealed segment; of an empty chain if there is none."""
    for sealed in reversed(layout.sealed()):
        line = last_line_of(sealed.path)
        tip = tip_after(line) if line is not None else None
        if tip is None:
            raise TrailUnavailable(f"{sealed.path} does not end in an audit line: see `stepup verify`")
        return tip
    return Tip()


def require_whole(layout: Layout, lines: int) -> None:
    """TrailUnavailable if the trail has fewer lines than were once signed for."""
    try:
        last = last_checkpoint(layout.notes)
    except NoteError as error:
        raise TrailUnavailable(f"{layout.notes}: {error}; it is not continued. See `stepup verify`") from None
    if last is not None and last[1].size > lines:
        raise TrailUnavailable(
            f"the audit trail {layout.live} has {lines} lines, but {last[1].size} are signed for: lines were removed. "
            f"It is not continued. Keep the folder as evidence and restore it, or start a new one elsewhere"
        )


def is_sealed(layout: Layout, file: tuple[int, int]) -> bool:
    """Whether that file is one of the sealed segments."""
    for sealed in reversed(layout.sealed()):
        with contextlib.suppress(FileNotFoundError):
            if identity(sealed.path.stat(follow_symlinks=False)) == file:
                return True
    return False


def has_sealed(layout: Layout, first_seq: int) -> bool:
    """Whether a sealed segment begins with that line."""
    return any(item.first_seq == first_seq for item in layout.sealed())


def is_continued(layout: Layout, tip: Tip) -> bool:
    """Whether another process has already begun the file that follows ``tip``."""
    paths = [layout.live, *(item.path for item in layout.sealed() if item.first_seq == tip.seq)]
    return any(_begins(path, tip) for path in paths)


def rescue(layout: Layout, fd: int, size: int, first_seq: int) -> None:
    """Save the lines of a live file that was deleted or moved away, which only this descriptor still reaches."""
    if size == 0 or has_sealed(layout, first_seq):
        return
    make_folder(layout.segments)
    draft = layout.segments / ".rescue"
    draft.unlink(missing_ok=True)
    copy = create(draft)
    try:
        for offset in range(0, size, _BLOCK):
            write_whole(copy, os.pread(fd, min(_BLOCK, size - offset), offset))
        os.fsync(copy)
    finally:
        os.close(copy)
    draft.rename(layout.next_sealed(first_seq))
    sync_folder(layout.segments)


def move_aside(layout: Layout) -> Path | None:
    """Put whatever stands at the live file's name under ``torn/``, unread. None if nothing does."""
    if not os.path.lexists(layout.live):
        return None
    make_folder(layout.torn)
    status = layout.live.stat(follow_symlinks=False)
    target = layout.torn / f"replaced-{status.st_ino}-{status.st_mtime_ns}"
    layout.live.rename(target)
    return target


def _begins(path: Path, tip: Tip) -> bool:
    begin = opening(tip.seq, tip.leaf)
    try:
        with segment(path).open() as stream:
            return stream.read(len(begin)) == begin
    except (OSError, TrailUnavailable):
        return False
