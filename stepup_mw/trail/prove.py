"""Makes the proof that a line is under a signed checkpoint: one pass over the lines, a few hashes in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chain import leaf_hash
from ..errors import NoteError, ProofError
from ..events import MAX_LINE
from ..note import verify_note
from ..proofs import Proof
from ..tree import InclusionPath
from .notes import read_notes
from .pruned import find_start
from .views import find_view

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..note import Checkpoint, Vkey
    from .sources import View

_EVERY = 8192


def make_proof(
    path: Path, seq: int, *, keys: Sequence[Vkey], progress: Callable[[int, int], None] | None = None
) -> Proof:
    """The proof of line ``seq`` of a trail or a pack, under the first checkpoint over it that one of ``keys`` signed.

    ``progress`` is called with the lines done and the lines in all. ProofError if there is no such line or checkpoint,
    or if the lines are not those that were signed.
    """
    view = find_view(path)
    try:
        checkpoint, note = _checkpoint_over(view, seq, keys)
        return _prove(view, seq, checkpoint, note, progress)
    finally:
        view.close()


def _checkpoint_over(view: View, seq: int, keys: Sequence[Vkey]) -> tuple[Checkpoint, bytes]:
    if view.notes is not None:
        with view.notes.open() as stream:
            for found in read_notes(stream, view.notes.size):
                try:
                    note, checkpoint = found.parse()
                    if checkpoint.size <= seq:
                        continue
                    signers = {(item.name, item.key_id) for item in note.signatures}
                    for key in keys:
                        if (key.name, key.key_id) in signers and key.name == checkpoint.origin:
                            verify_note(note, key)
                            return checkpoint, found.data
                except NoteError:
                    continue
    raise ProofError(f"no checkpoint signed by a known key is over line {seq} yet")


def _prove(
    view: View, seq: int, checkpoint: Checkpoint, note: bytes, progress: Callable[[int, int], None] | None
) -> Proof:
    start = view.start or find_start(view.sources)
    if seq < start.seq:
        raise ProofError(f"line {seq} is not here: the trail begins with line {start.seq}; its archive can prove it")
    if not start.known:
        raise ProofError(f"the first {start.seq} lines are missing, and no record says that they were removed")
    path = InclusionPath(seq, checkpoint.size)
    for level, root in start.range.subtrees():
        path.add(root, level)
    line, at = b"", start.seq
    for source in view.sources:
        with source.open() as stream:
            while not path.full and (raw := stream.readline(MAX_LINE + 1)):
                if at == seq:
                    line = raw[:-1]
                path.add(leaf_hash(raw[:-1]))
                at += 1
                if progress is not None and at % _EVERY == 0:
                    progress(at, checkpoint.size)
    hashes, root = path.finish()
    if root != checkpoint.root:
        raise ProofError(f"the first {checkpoint.size} lines are not those that were signed: see `stepup verify`")
    return Proof(index=seq, hashes=tuple(hashes), note=note, line=line)
