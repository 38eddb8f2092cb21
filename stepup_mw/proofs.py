"""A proof that one audit line is in the log, in the C2SP format (c2sp.org/tlog-proof@v1), checked without the log.

    c2sp.org/tlog-proof@v1
    extra eyJwcmV2Ij…               the line itself, base64; nothing vouches for it but the hashes below
    index 17
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
                                    (the sibling of the leaf first; then an empty line)
    bank/stepup-audit
    1000
    GzQ1…=

    — bank/stepup-audit pNJn…==

No file is read here.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .chain import leaf_hash, parse_line
from .errors import NoteError, ProofError
from .events import MAX_LINE
from .note import MAX_NOTE, Checkpoint, Vkey, parse_checkpoint, parse_note, verify_note
from .tree import verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROOF = MAX_NOTE + 2 * MAX_LINE + 64 * 45 + 64
_HEAD = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class ForeignKey(NoteError):
    """The checkpoint is signed, but by no key that was given."""

    code = "foreign_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """``hashes``: 32 bytes each, the leaf's sibling first; ``note``: the bytes of the signed checkpoint; ``line``:
    the audit line without its LF, if it is in the file."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    line: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What holds: ``line`` is number ``index`` of the lines under ``checkpoint``, which ``key`` signed."""

    line: bytes
    index: int
    checkpoint: Checkpoint
    key: Vkey


def format_proof(proof: Proof) -> bytes:
    """The bytes of a ``.tlog-proof`` file."""
    head = [_HEAD, *([f"extra {_encode(proof.line)}"] if proof.line is not None else []), f"index {proof.index}"]
    return "".join(f"{text}\n" for text in [*head, *map(_encode, proof.hashes), ""]).encode() + proof.note


def parse_proof(data: bytes) -> Proof:
    """ProofError unless it is spelt in the one canonical way."""
    if len(data) > MAX_PROOF:
        raise ProofError("too long for a proof")
    head, gap, note = data.partition(b"\n\n")
    try:
        first, *rest = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofError("not a proof") from None
    if first != _HEAD or not gap or not rest:
        raise ProofError(f"not a proof: it does not begin with {_HEAD}")
    line = _decode(rest.pop(0).removeprefix("extra ")) if rest[0].startswith("extra ") else None
    match = _INDEX.fullmatch(rest[0]) if rest else None
    if match is None or len(rest) > 65:
        raise ProofError("a proof has one index and at most 64 hashes")
    proof = Proof(index=int(match[1]), hashes=tuple(map(_decode, rest[1:])), note=note, line=line)
    if any(len(item) != 32 for item in proof.hashes) or format_proof(proof) != data:
        raise ProofError("not a proof in canonical form")
    return proof


def verify_proof(proof: Proof, keys: Sequence[Vkey], line: bytes | None = None) -> Proven:
    """Check a proof with what is in it and ``keys`` alone. ``line`` (without LF) stands in for the one in the file.

    ProofError or LineError if the line is not what the proof says; ForeignKey if none of the keys signed the
    checkpoint, NoteError if that is none.
    """
    line = proof.line if line is None else line
    if line is None:
        raise ProofError("the proof does not hold the line itself, and none was given")
    note = parse_note(proof.note)
    checkpoint = parse_checkpoint(note.text)
    signers = {(item.name, item.key_id) for item in note.signatures}
    key = next((key for key in keys if (key.name, key.key_id) in signers and key.name == checkpoint.origin), None)
    if key is None:
        names = ", ".join(sorted(f"{name}+{key_id.hex()}" for name, key_id in signers))
        raise ForeignKey(f"the checkpoint is signed by {names}, not by a key that was given")
    verify_note(note, key)
    verify_inclusion(leaf_hash(line), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    if parse_line(line).get("seq") != proof.index:
        raise ProofError("the line carries another number than its place in the tree")
    return Proven(line=line, index=proof.index, checkpoint=checkpoint, key=key)


def _encode(data: bytes) -> str:
    return b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (Base64Error, ValueError):
        raise ProofError("not base64") from None
