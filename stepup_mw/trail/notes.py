"""The file of signed checkpoints, ``checkpoints.note``: signed notes one after the other, only ever appended to.

Reads it from either end, whatever is in it, and adds to it. Signs nothing and trusts nothing it reads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import NoteError
from ..note import (
    MAX_NOTE,
    Checkpoint,
    Note,
    Signer,
    Vkey,
    origin_of,
    parse_checkpoint,
    parse_note,
    parse_signer,
    parse_vkey,
)
from .files import create, open_regular, sync_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_DASH = "\u2014 ".encode()


@dataclass(frozen=True, slots=True)
class Found:
    """One note of the file, ending before byte ``end``; ``torn``: the file ends in the middle of it."""

    data: bytes
    end: int
    torn: bool = False

    def parse(self) -> tuple[Note, Checkpoint]:
        """NoteError if this is no checkpoint."""
        if self.torn:
            raise NoteError("the note is not complete")
        note = parse_note(self.data)
        return note, parse_checkpoint(note.text)


def read_notes(stream: BinaryIO, size: int) -> Iterator[Found]:
    """The notes in the first ``size`` bytes, split where signature lines end; what is no note comes as it is."""
    data, end, signed = b"", 0, False
    while end < size:
        line = stream.readline(min(MAX_NOTE, size - end))
        if not line:
            break
        if signed and not line.startswith(_DASH):
            yield Found(data, end)
            data, signed = b"", False
        signed = signed or line.startswith(_DASH)
        data = (data + line)[-MAX_NOTE - 1 :]
        end += len(line)
    if data:
        yield Found(data, end, torn=not (signed and data.endswith(b"\n")))


def last_checkpoint(path: Path) -> tuple[Note, Checkpoint, int] | None:
    """The last whole note of the file, its checkpoint, and where it ends. None without a file or a note in it.

    NoteError if there are notes and the last whole one is no checkpoint.
    """
    try:
        fd = open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    last: Found | None = None
    with os.fdopen(fd, "rb") as stream:
        size = os.fstat(fd).st_size
        skipped = _skip(stream, size)
        for found in read_notes(stream, size - skipped):
            last = last if found.torn else found
    if last is None:
        return None
    note, checkpoint = last.parse()
    return note, checkpoint, skipped + last.end


def append_note(path: Path, end: int, data: bytes) -> None:
    """Add a note after byte ``end``; an unfinished one there, left by a crash, is cut off. Durable on return."""
    try:
        fd = open_regular(path, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        fd = create(path)
        sync_folder(path.parent)
    try:
        if os.fstat(fd).st_size > end:
            os.ftruncate(fd, end)
        write_whole(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def read_signer(path: Path, service: str) -> Signer:
    """The signing key of a service. NoteError says what is wrong with the file."""
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise NoteError(f"the signing key {path} cannot be read: {error.strerror}") from None
    try:
        return parse_signer(pem, origin_of(service))
    except NoteError as error:
        raise NoteError(f"the signing key {path}: {error}") from None


def check_signing_key(path: Path, service: str = "check") -> Vkey:
    """Fail at start-up rather than at the first checkpoint: NoteError if the key file is missing or no Ed25519 key
    in PKCS#8 PEM. Gives the verifier key that belongs to it."""
    return read_signer(path, service).vkey


def read_vkeys(text_or_path: str) -> tuple[Vkey, ...]:
    """Verifier keys from a vkey, or from a file with one a line. NoteError if there is none."""
    text = text_or_path
    if "+" not in text or os.path.exists(text):  # noqa: PTH110 - any text may come, also what makes no path
        try:
            with open(text_or_path, encoding="utf-8") as stream:  # noqa: PTH123 - as above
                text = stream.read(MAX_NOTE)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a text file"
            raise NoteError(
                f"no verifier key in {text_or_path}: {why}; a key is NAME+ID+KEY, or a file with one"
            ) from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise NoteError(f"no verifier key in {text_or_path}")
    return tuple(parse_vkey(line) for line in lines)


def _skip(stream: BinaryIO, size: int) -> int:
    """Move to the start of a note near the end of the file; returns its offset."""
    if size <= 2 * MAX_NOTE:
        return 0
    at = stream.seek(size - MAX_NOTE)
    at += len(stream.readline())
    signed = False
    while at < size:
        line = stream.readline(MAX_NOTE)
        if signed and not line.startswith(_DASH):
            return stream.seek(at)
        signed = line.startswith(_DASH)
        at += len(line)
    return stream.seek(at)
