"""Checks the signed checkpoints against the tree while the lines go by: each root, each signature, their order."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from typing import TYPE_CHECKING

from ..errors import NoteError
from ..note import Checkpoint, Note, verify_note
from .notes import read_notes
from .report import FORK, SHRUNK, TAMPERED, TORN_TAIL, WRONG_KEY, Finding, LastCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..note import Vkey
    from ..tree import CompactRange
    from .notes import Found
    from .sources import View


class Seals:
    """``next_size`` is the number of lines at which the next checkpoint has to be checked, -1 if there is none.
    ``finding`` is what was wrong with one; after that no more are read."""

    def __init__(self, view: View, keys: Sequence[Vkey]) -> None:
        self._path = view.layout.notes
        self._settled = view.settled_notes
        self._keys = keys
        self._stack = contextlib.ExitStack()
        self._found: Iterator[Found] = iter(())
        if view.notes is not None:
            stream = self._stack.enter_context(view.notes.open())
            self._found = read_notes(stream, view.notes.size)
        self._note: Note | None = None
        self._checkpoint: Checkpoint | None = None
        self._end = 0
        self.next_size = -1
        self.count = 0
        self.last: LastCheckpoint | None = None
        self.finding: Finding | None = None

    def begin(self, tree: CompactRange) -> None:
        """Read the first checkpoint; of those about fewer lines than ``tree`` begins with only the signatures are
        checked, and one about just as many is checked."""
        self._advance()
        while 0 <= self.next_size < tree.size:
            self._advance()
        self.check(tree, None)

    def check(self, tree: CompactRange, time: str | None) -> None:
        """Check every checkpoint of the size that the tree has now; ``time`` is that of its last line."""
        root = b""
        while self.next_size == tree.size and self._checkpoint is not None:
            root = root or tree.root()
            if self._checkpoint.root != root:
                fork = self.last is not None and self.last.size == tree.size
                why = f"a checkpoint signs another root for the first {tree.size} lines than they have"
                self._stop(FORK if fork else TAMPERED, why, seq=tree.size - 1)
                return
            self.count += 1
            self.last = LastCheckpoint(size=tree.size, root=b64encode(root).decode(), time=time)
            self._advance()

    def finish(self, lines: int) -> None:
        """What is left after the last line: a checkpoint of more lines than there are means that lines are gone."""
        if self.finding is None and self.next_size > lines and self._end <= self._settled:
            self._stop(SHRUNK, f"{self.next_size} lines are signed for, but there are only {lines}", seq=lines)

    def close(self) -> None:
        self._stack.close()

    def _advance(self) -> None:
        before = -1 if self._checkpoint is None else self._checkpoint.size
        self.next_size = -1
        found = next(self._found, None)
        if found is None:
            return
        self._end = found.end
        try:
            self._note, self._checkpoint = found.parse()
        except NoteError as error:
            if not found.torn:
                self._stop(TAMPERED, f"the note that ends at byte {found.end}: {error}")
            elif found.end <= self._settled:
                self._stop(TORN_TAIL, "the last note was cut off")
            return
        problem = self._unsigned(self._note, self._checkpoint)
        if problem is not None:
            self._stop(*problem)
        elif self._checkpoint.size < before:
            self._stop(FORK, f"a checkpoint of {self._checkpoint.size} lines stands after one of {before}")
        else:
            self.next_size = self._checkpoint.size

    def _unsigned(self, note: Note, checkpoint: Checkpoint) -> tuple[str, str] | None:
        """Why this note does not count, if keys are known: the verdict and the reason."""
        if not self._keys:
            return None
        signers = {(item.name, item.key_id) for item in note.signatures}
        for key in self._keys:
            if (key.name, key.key_id) in signers and checkpoint.origin == key.name:
                try:
                    verify_note(note, key)
                except NoteError as error:
                    return TAMPERED, f"the checkpoint of {checkpoint.size} lines: {error}"
                return None
        names = ", ".join(sorted(f"{item.name}+{item.key_id.hex()}" for item in note.signatures))
        return WRONG_KEY, f"the checkpoint of {checkpoint.size} lines is signed by {names}, not by the key given"

    def _stop(self, verdict: str, why: str, seq: int | None = None) -> None:
        self.finding = Finding(verdict=verdict, why=why, file=self._path, seq=seq)
        self.next_size = -1
        self._found = iter(())
