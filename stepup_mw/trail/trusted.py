"""Checkpoints that somebody holds outside the audit folder, which the trail has to continue: an auditor's own, and the
one that the signer keeps beside its key. They show a folder that was rolled back, restored or exchanged as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from ..errors import NoteError
from ..note import MAX_NOTE, Checkpoint, parse_checkpoint, parse_note, verify_note
from .files import Layout
from .memory import Memory
from .pruned import Start, describe_start, parse_start
from .report import FORK, SHRUNK, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..note import Vkey
    from ..tree import CompactRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A checkpoint, who holds it, and, if known, the lines it is about as hashes to go on from."""

    checkpoint: Checkpoint
    where: str
    start: Start | None = None


class Trusted:
    """``next_size`` is the number of lines at which the next of them has to be checked, -1 if there is none."""

    def __init__(self, held: Iterable[Held], first_seq: int) -> None:
        """Those about fewer lines than ``first_seq`` cannot be checked any more, and are left out."""
        left = [item for item in held if item.checkpoint.size >= max(1, first_seq)]
        self._left = sorted(left, key=lambda item: item.checkpoint.size, reverse=True)
        self.sizes = sorted({item.checkpoint.size for item in left})
        self.finding: Finding | None = None

    @property
    def next_size(self) -> int:
        return self._left[-1].checkpoint.size if self._left else -1

    def check(self, tree: CompactRange) -> None:
        """Check those about as many lines as the tree has now."""
        while self.next_size == tree.size:
            item = self._left.pop()
            if item.checkpoint.root != tree.root() and self.finding is None:
                why = f"the first {tree.size} lines are not those that were signed before: {item.where}"
                self.finding = Finding(verdict=FORK, why=why, seq=tree.size - 1)

    def finish(self, lines: int) -> None:
        """What is left after the last line was about more lines than there are."""
        if self._left and self.finding is None and lines:
            size, where = self._left[0].checkpoint.size, self._left[0].where
            why = f"{size} lines were signed before, and there are only {lines}: {where}"
            self.finding = Finding(verdict=SHRUNK, why=why, seq=lines)


def signer_memory(key_file: Path, origin: str) -> Held | None:
    """What the signer remembers. None if it remembers nothing. NoteError if that cannot be read."""
    memory = Memory(key_file, origin)
    kept = memory.read()
    return Held(checkpoint=kept.checkpoint, where=f"kept beside the key in {memory.path.name}") if kept else None


def read_held(path: Path, live: Path, keys: Sequence[Vkey]) -> Held:
    """What an auditor kept: a file that ``format_held`` made, or a signed checkpoint, which one of ``keys`` has to have
    signed if there are any. A checkpoint alone tells no hashes to go on from; the trail's own notes may, since those
    have to give its root. NoteError if the file holds neither."""
    try:
        data = path.read_bytes()[: MAX_NOTE + 1]
    except OSError as error:
        raise NoteError(f"{path} cannot be read: {error.strerror}") from None
    if data.startswith(b"{"):
        return _parse_held(path, data)
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    signers = {(item.name, item.key_id) for item in note.signatures}
    fitting = [key for key in keys if (key.name, key.key_id) in signers]
    if keys and not fitting:
        raise NoteError(f"{path} is signed by none of the keys given")
    for key in fitting:
        verify_note(note, key)
    return Held(checkpoint=checkpoint, where=f"held in {path.name}", start=_hint(live, checkpoint))


def format_held(origin: str, tree: CompactRange, leaf: bytes) -> bytes:
    """What to keep after a verification, so that the next one can go on from there."""
    return orjson.dumps({"origin": origin, **describe_start(tree, leaf)}, option=orjson.OPT_INDENT_2) + b"\n"


def _parse_held(path: Path, data: bytes) -> Held:
    try:
        found = orjson.loads(data)
        origin = found["origin"]
    except (ValueError, KeyError, TypeError):
        found, origin = None, None
    start = parse_start(found)
    if start is None or not isinstance(origin, str):
        raise NoteError(f"{path} is no checkpoint, and not what `stepup verify --save` writes")
    checkpoint = Checkpoint(origin=origin, size=start.seq, root=start.range.root())
    return Held(checkpoint=checkpoint, where=f"held in {path.name}", start=start)


def _hint(live: Path, checkpoint: Checkpoint) -> Start | None:
    """The signer's own notes of how far it has come, if they give the root of the checkpoint."""
    try:
        kept = orjson.loads(Layout(live).state.read_bytes())
        start = parse_start({"size": kept["size"], "leaf": kept["leaf"], "frontier": kept["hashes"]})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return start if start is not None and start.range.root() == checkpoint.root else None
