"""What an anchor has taken, in ``audit/anchors/<name>.json``: a receipt for this host, no evidence to anybody else.

    {"size":120,"root":"GzQ1…=","end":4711,"at":1795418700.5,"segment":3,"segment_lines":100,"failed":null}

One that is missing or unreadable means that everything is sent once more, which does no harm.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from ..trail.files import create, make_folder, sync_folder, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from ..settings import AnchorSettings
    from ..trail.files import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An anchor that is down: since when, in Unix seconds, from which line on it has nothing, and what it said."""

    since: float
    from_seq: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """``size`` and ``root`` (base64): the last checkpoint that the anchor took, at the time ``at``. ``end``: where its
    note ends in ``checkpoints.note``. ``segment``: the number of the last sealed segment it took, ``segment_lines``
    the lines up to its end."""

    size: int = 0
    root: str = ""
    end: int = 0
    at: float = 0.0
    segment: int = 0
    segment_lines: int = 0
    failed: Failure | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The files of one anchor in the audit folder."""

    layout: Layout
    anchor: AnchorSettings

    @property
    def root(self) -> Path:
        return self.layout.folder / "anchors"

    @property
    def receipt(self) -> Path:
        return self.root / f"{self.anchor.name}.json"

    @property
    def lock(self) -> Path:
        return self.root / f"{self.anchor.name}.lock"

    @property
    def kept(self) -> Path:
        """A folder for what the anchor gives back."""
        return self.root / self.anchor.name


def read_receipt(path: Path) -> Receipt:
    """The receipt in that file; a new one where there is none to be read."""
    try:
        value = orjson.loads(path.read_bytes())
        failed = value.pop("failed", None)
        receipt = Receipt(**value, failed=Failure(**failed) if failed is not None else None)
    except (OSError, ValueError, TypeError, AttributeError):
        return Receipt()
    return receipt if _sound(receipt) else Receipt()


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Durable, and whole or not at all. OSError if the disk will not have it."""
    make_folder(path.parent)
    draft = path.with_suffix(".draft")
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    fd = create(draft)
    try:
        write_whole(fd, orjson.dumps(asdict(receipt)))
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.rename(path)
    sync_folder(path.parent)


def _sound(receipt: Receipt) -> bool:
    counts: list[Any] = [receipt.size, receipt.end, receipt.segment, receipt.segment_lines]
    times: list[Any] = [receipt.at]
    texts: list[Any] = [receipt.root]
    if receipt.failed is not None:
        counts.append(receipt.failed.from_seq)
        times.append(receipt.failed.since)
        texts.append(receipt.failed.why)
    return (
        all(type(value) is int and value >= 0 for value in counts)
        and all(type(value) in (int, float) for value in times)
        and all(type(value) is str for value in texts)
    )
