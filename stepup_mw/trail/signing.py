"""When a process signs: after so many lines, after so long with any, at a rotation and at the end, beside the writing.

``checkpoints`` says what is signed and what is not; a problem there stops no line, and is put on record once.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from ..errors import NoteError, TrailUnavailable
from .checkpoints import Checkpoints, Forked, Signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..note import Checkpoint
    from ..settings import TrailSettings
    from .ledger import Ledger
    from .marks import Marks


_BEATS = 10
"""So many times ``checkpoint.every`` without any line, and a heartbeat is written and signed for."""


class Signing:
    """Belongs to one writer. ``on_record`` takes the lines that tell of a checkpoint, or of why there is none;
    ``on_checkpoint`` each checkpoint this process signs, once its note is durable: it must neither wait nor raise."""

    def __init__(
        self,
        settings: TrailSettings,
        service: str,
        marks: Marks,
        on_record: Callable[[bytes], None],
        on_checkpoint: Callable[[Signed], None] | None = None,
    ) -> None:
        self._settings = settings
        self._marks = marks
        self._on_record = on_record
        self._on_checkpoint = on_checkpoint
        self._checkpoints = Checkpoints(settings, service)
        self._size = 0
        self._rotations = 0
        self._at = marks.clock()
        self._complaint = ""
        self._thread: threading.Thread | None = None
        self.beat_s = _BEATS * settings.checkpoint_every_s

    def has_new(self, ledger: Ledger) -> bool:
        """Whether there are lines that no checkpoint of this process covers, and a key to sign them with."""
        return self._settings.signing_key_file is not None and ledger.tip.seq > self._size

    def is_due(self, ledger: Ledger) -> bool:
        """Whether they are to be signed now."""
        if not self.has_new(ledger):
            return False
        late = not 0 <= self._marks.clock() - self._at < self._settings.checkpoint_every_s
        many = ledger.tip.seq - self._size >= self._settings.checkpoint_lines
        return late or many or ledger.rotations != self._rotations

    def begin(self, ledger: Ledger) -> None:
        """Sign in a thread, so that no line waits for it; unless one is at it already."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._size, self._at, self._rotations = ledger.tip.seq, self._marks.clock(), ledger.rotations
        self._thread = threading.Thread(target=self._sign, name="stepup-checkpoint", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter is ending: the writer signs at its end
            self._thread.start()

    def now(self, patience_s: float = 0.0) -> Checkpoint | None:
        """Sign and return when it is done, waiting so long for another process that signs. None if there is nothing to
        sign, or it cannot be signed."""
        self.wait()
        return self._sign(patience_s)

    def wait(self) -> None:
        """Return when the thread, if there is one, has ended."""
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        """Let go of the files, in a forked child too."""
        self._checkpoints.close()

    def _sign(self, patience_s: float = 0.0) -> Checkpoint | None:
        try:
            signed = self._checkpoints.sign(patience_s)
        except (OSError, NoteError, TrailUnavailable) as error:
            self._complain("fork" if isinstance(error, Forked) else "checkpoint", str(error))
            return None
        if signed is None:
            return None
        self._complain("signer_memory", signed.unkept)
        self._on_record(self._marks.checkpoint(signed.checkpoint, signed.key_id))
        if self._on_checkpoint is not None:
            self._on_checkpoint(signed)
        return signed.checkpoint

    def _complain(self, error: str, why: str) -> None:
        """Put on record what keeps a checkpoint from being made, or from being remembered; once, until it changes."""
        if why and why != self._complaint:
            self._on_record(self._marks.record("io_error", {"error": error, "why": why[:300]}))
        self._complaint = why
