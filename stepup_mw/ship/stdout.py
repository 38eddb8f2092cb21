"""Checkpoints on standard output, one JSON line each, for the log collector of the machine.

    {"stepup":"checkpoint","origin":"bank/stepup-audit","size":17,"root":"GzQ1…=","note":"bank/stepup-audit\\n17\\n…"}

Nobody says that a line arrived, so this proves nothing to ``max_unanchored``.
"""

from __future__ import annotations

import os
import select
from base64 import b64encode
from typing import TYPE_CHECKING

import orjson

from ..errors import AnchorError

if TYPE_CHECKING:
    from .sink import Parcel, Piece

STDOUT = 1


class StdoutSink:
    """Writes to a descriptor, each line in one call, so that lines of several processes do not mix."""

    newest_only = False

    def __init__(self, timeout_s: float, fd: int = STDOUT) -> None:
        self._timeout_s = timeout_s
        self._fd = fd

    def send(self, parcel: Parcel) -> None:
        made = parcel.checkpoint
        line = orjson.dumps(
            {
                "stepup": "checkpoint",
                "origin": made.origin,
                "size": made.size,
                "root": b64encode(made.root).decode(),
                "note": parcel.note.decode(),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        try:
            _, ready, _ = select.select([], [self._fd], [], self._timeout_s)
            if not ready:
                raise AnchorError(f"nobody reads standard output: it took nothing for {self._timeout_s:g} s")
            os.write(self._fd, line)
        except (OSError, ValueError) as error:
            raise AnchorError(f"standard output: {error}") from None

    def send_segment(self, piece: Piece) -> None:
        raise AnchorError(f"standard output takes no segments: {piece.path.name}")
