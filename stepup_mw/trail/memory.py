"""What the signer remembers of itself, beside its key and outside the audit folder: the last checkpoint it signed.

    stepup-audit.key.1f9c02ab.signed        {"end":1234,"note":"bank/stepup-audit\\n1000\\n…"}

So an audit folder that was rolled back, restored from a copy or replaced is noticed, though everything in it may fit.
The name holds the start of SHA-256(origin), since services may share a folder of keys. ``end``: the size of
``checkpoints.note`` before this note was added.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from ..errors import NoteError
from ..note import Checkpoint, parse_checkpoint, parse_note
from .files import create, sync_folder, write_whole

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    checkpoint: Checkpoint
    note: bytes
    end: int


class Memory:
    """Of the signer of ``origin`` whose key is in ``key_file``."""

    def __init__(self, key_file: Path, origin: str) -> None:
        self.path = key_file.with_name(f"{key_file.name}.{sha256(origin.encode()).hexdigest()[:8]}.signed")

    def read(self) -> Kept | None:
        """None if nothing was signed yet. NoteError if what is there cannot be read: then nothing may be signed."""
        try:
            found = orjson.loads(self.path.read_bytes())
            data, end = found["note"].encode(), int(found["end"])
            return Kept(checkpoint=parse_checkpoint(parse_note(data).text), note=data, end=end)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NoteError(f"{self.path}, the last checkpoint signed, cannot be read: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError, NoteError):
            raise NoteError(f"{self.path} does not hold the last checkpoint signed") from None

    def keep(self, kept: Kept) -> str:
        """Remember it, durable on return. Gives why not, if it cannot be: a key in a folder that is read-only still
        signs, and what was kept before, if anything, still holds."""
        draft = self.path.with_name(f"{self.path.name}.draft")
        try:
            draft.unlink(missing_ok=True)
            fd = create(draft)
            try:
                write_whole(fd, orjson.dumps({"end": kept.end, "note": kept.note.decode()}))
                os.fsync(fd)
            finally:
                os.close(fd)
            draft.rename(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            return f"{self.path} cannot be written, so a folder restored from a copy may go unnoticed: {error.strerror}"
        return ""

    def forget(self) -> None:
        """Begin a new history. OSError if it cannot be removed."""
        self.path.unlink(missing_ok=True)
