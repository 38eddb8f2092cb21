"""C2SP witnesses (c2sp.org/tlog-witness): they cosign a checkpoint only if it grew out of the last one they saw.

    old 100                              the size they saw last
    <base64 hash>                        the consistency proof, a hash a line
                                         an empty line
    bank/stepup-audit …                  the checkpoint, as it was signed

The answer is a cosignature (c2sp.org/tlog-cosignature), which is checked against the configured key and kept with the
checkpoint in ``cosigned.note``: enough for anybody to check later.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from ..errors import AnchorError, NoteError, ProofError
from ..note import Note, NoteSignature, format_note, parse_note
from ..trail.files import make_folder
from ..trail.notes import append_note, last_checkpoint
from ..tree import CompactRange
from .exchange import Answer, post
from .growth import prove_growth
from .lines import leaves_between

if TYPE_CHECKING:
    from pathlib import Path

    from ..note import Checkpoint
    from ..settings import AnchorSettings
    from ..trail.files import Layout
    from .sink import Parcel, Piece

COSIGNATURE = b"\x04"
MAX_ANSWER = 16 * 1024
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,15})\n", re.ASCII)
_REFUSALS = {
    400: "it could not read the request",
    403: "it does not know the key that signs the checkpoints",
    404: "it does not know this log's origin",
    422: "the consistency proof did not convince it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessKey:
    """A witness by its name and its Ed25519 public key, 32 bytes."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + COSIGNATURE + self.public).digest()[:4]


def parse_witness_key(text: str) -> WitnessKey:
    """``name+hex8+base64(0x04 || public key)`` back to a key. NoteError if it is none."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        data = b64decode(encoded, validate=True)
    except (Base64Error, ValueError):
        data = b""
    key = WitnessKey(name=name, public=data[1:])
    if len(data) != 33 or data[:1] != COSIGNATURE or key.key_id.hex() != key_id or not name or " " in name:
        raise NoteError("not the verifier key of a witness: name+id+base64, with the type 0x04 before 32 bytes of key")
    return key


def verify_cosignature(note: Note, key: WitnessKey) -> tuple[NoteSignature, float]:
    """The witness's signature over the note, and the time, in Unix seconds, at which it says it made it. NoteError if
    there is none, or a bad one."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - slow, and only anchors of this kind need it
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    found = [item for item in note.signatures if item.name == key.name and item.key_id == key.key_id]
    if len(found) != 1 or len(found[0].signature) != 72:
        raise NoteError(f"not cosigned by {key.name}+{key.key_id.hex()}")
    time = int.from_bytes(found[0].signature[:8])
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public)
        public.verify(found[0].signature[8:], f"cosignature/v1\ntime {time}\n{note.text}".encode())
    except InvalidSignature:
        raise NoteError(f"the cosignature of {key.name} does not fit the checkpoint") from None
    return found[0], float(time)


class WitnessSink:
    """Shows a witness each newest checkpoint. Keeps the compact range at the last one, which proves itself: it has to
    give the root that was cosigned."""

    newest_only = True

    def __init__(self, anchor: AnchorSettings, layout: Layout, folder: Path) -> None:
        self._anchor = anchor
        self._layout = layout
        self._folder = folder
        self._key = parse_witness_key(anchor.key)
        self._range: CompactRange | None = None

    @property
    def cosigned(self) -> Path:
        return self._folder / "cosigned.note"

    def send(self, parcel: Parcel) -> None:
        try:
            known = last_checkpoint(self.cosigned)
            old = self._known_range(known[1] if known is not None else None)
            answer, grown = self._show(parcel, old)
            if answer.status == 409:
                old = self._range_at(self._told(answer, parcel), old)
                answer, grown = self._show(parcel, old)
            note = self._checked(parcel, answer)
            make_folder(self._folder)
            append_note(self.cosigned, known[2] if known is not None else 0, format_note(note.text, note.signatures))
        except (NoteError, ProofError) as error:
            raise AnchorError(f"{self._anchor.url}: {error}") from None
        self._keep(grown)

    def send_segment(self, piece: Piece) -> None:
        raise AnchorError(f"a witness takes no segments: {piece.path.name}")

    def _show(self, parcel: Parcel, old: CompactRange) -> tuple[Answer, CompactRange]:
        made = parcel.checkpoint
        if old.size > made.size:
            raise AnchorError(
                f"it has seen {old.size} lines, and only {made.size} are signed here: this is an old copy"
            )
        proof, grown = prove_growth(old, made.size, leaves_between(self._layout, old.size, made.size))
        if grown.root() != made.root:
            raise AnchorError(f"the first {made.size} lines here are not those that were signed: nothing is sent")
        lines = [f"old {old.size}", *(b64encode(item).decode() for item in proof), "", ""]
        url = self._anchor.url.rstrip("/") + "/add-checkpoint"
        body = "\n".join(lines).encode() + parcel.note
        answer = post(url, body, "text/plain; charset=utf-8", timeout_s=self._anchor.timeout_s, limit=MAX_ANSWER)
        return answer, grown

    def _told(self, answer: Answer, parcel: Parcel) -> int:
        """The size in a 409: what the witness saw last."""
        match = _SIZE.fullmatch(answer.body)
        if match is None:
            raise AnchorError(f"{self._anchor.url} answered 409 without a size")
        size = int(match[1])
        if size > parcel.checkpoint.size:
            message = f"has seen {size} lines, and only {parcel.checkpoint.size} are signed here: this is an old copy"
            raise AnchorError(f"{self._anchor.url} {message}")
        return size

    def _checked(self, parcel: Parcel, answer: Answer) -> Note:
        """The checkpoint with the cosignature as a further signature."""
        if answer.status != 200:
            why = _REFUSALS.get(answer.status, "it said no more")
            raise AnchorError(f"{self._anchor.url} answered {answer.status}: {why}")
        own = parse_note(parcel.note)
        given = parse_note(own.text.encode() + b"\n" + answer.body)
        signature, _ = verify_cosignature(given, self._key)
        return Note(text=own.text, signatures=(*own.signatures, signature))

    def _known_range(self, last: Checkpoint | None) -> CompactRange:
        if last is None:
            return CompactRange()
        if self._range is None:
            self._range = _read_range(self._folder / "range.json")
        if self._range is None or (self._range.size, self._range.root()) != (last.size, last.root):
            self._range = self._range_at(last.size, CompactRange())
        return self._range

    def _range_at(self, size: int, known: CompactRange) -> CompactRange:
        start = known if known.size <= size else CompactRange()
        return prove_growth(start, size, leaves_between(self._layout, start.size, size))[1]

    def _keep(self, grown: CompactRange) -> None:
        """If this is lost, the next checkpoint hashes everything once more."""
        self._range = grown
        hashes = [b64encode(item).decode() for item in grown.hashes]
        draft = self._folder / f".range.{os.getpid()}"
        draft.write_bytes(orjson.dumps({"size": grown.size, "hashes": hashes}))
        draft.rename(self._folder / "range.json")


def ask_size(anchor: AnchorSettings, note: Note) -> int:
    """How many lines the witness has seen, by showing it a checkpoint as if it had seen none: it says so in its 409."""
    url = anchor.url.rstrip("/") + "/add-checkpoint"
    body = b"old 0\n\n" + format_note(note.text, note.signatures)
    answer = post(url, body, "text/plain; charset=utf-8", timeout_s=anchor.timeout_s, limit=MAX_ANSWER)
    match = _SIZE.fullmatch(answer.body) if answer.status == 409 else None
    if match is None and answer.status != 200:
        raise AnchorError(f"{url} answered {answer.status}: {_REFUSALS.get(answer.status, 'it said no more')}")
    return int(match[1]) if match is not None else 0


def _read_range(path: Path) -> CompactRange | None:
    try:
        kept = orjson.loads(path.read_bytes())
        return CompactRange(kept["size"], [b64decode(item) for item in kept["hashes"]])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ProofError):
        return None
