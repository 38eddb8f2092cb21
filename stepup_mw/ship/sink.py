"""What every anchor is to the rest: it takes a checkpoint, and perhaps a sealed segment, or says why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..trail.zst import SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from ..note import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One signed checkpoint on its way. ``note``: its bytes. ``segment_lines``: how many lines stand in the segments
    that this anchor holds already."""

    note: bytes
    checkpoint: Checkpoint
    segment_lines: int = 0

    @property
    def stem(self) -> str:
        """``<size>-<first 16 hex digits of the root>``: a name no other checkpoint has."""
        return f"{self.checkpoint.size}-{self.checkpoint.root.hex()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Sealed segment ``number``: the lines ``first`` to ``last``, ``size`` bytes, SHA-256 ``digest``."""

    path: Path
    number: int
    first: int
    last: int
    size: int
    digest: bytes

    @property
    def name(self) -> str:
        """Addressed by its content: a name that was used for other bytes cannot stand in its way."""
        suffix = self.path.suffix if self.path.suffix == SUFFIX else ""
        return f"segment-{self.first}-{self.last}-{self.digest.hex()}.jsonl{suffix}"


class Sink(Protocol):
    """A place beyond this host. Every method may take as long as the anchor's time-out, and raises AnchorError."""

    newest_only: bool
    """Whether the newest checkpoint stands for all before it."""

    def send(self, parcel: Parcel) -> None:
        """Returns when the anchor has the checkpoint; having it already is as good."""

    def send_segment(self, piece: Piece) -> None:
        """Returns when the anchor has the segment; only asked of one whose configuration names segments."""
