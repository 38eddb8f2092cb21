"""C2SP signed notes, verifier keys and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), Ed25519 only.

    bank/stepup-audit
    1000
    GzQ1…=

    — bank/stepup-audit pNJn…==

The text ends in LF; after it an empty line, then one line a signature: EM DASH, space, key name, space,
base64(key id || signature). A verifier key (vkey) is ``name+hex8+base64(0x01 || public key)``. There is one spelling
for each note: what parses is formatted back to the same bytes. No file is read here; ``cryptography`` is loaded on use.
"""

# ruff: noqa: PLC0415 (cryptography is slow to import and most processes never sign or check a note)

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from .errors import NoteError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"
MAX_NOTE = 64 * 1024
_DASH = "\u2014 "
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line. ``key_id`` is 4 bytes, ``signature`` the bytes after it."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """``text`` ends in LF and is what the signatures are over."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vkey:
    """A verifier key. ``public`` is the Ed25519 key, 32 bytes."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || LF || 0x01 || public), its first 4 bytes."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log signs: ``size`` leaves have this ``root`` (32 bytes)."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs notes as ``name`` with a private key that stays in here."""

    name: str
    _key: Ed25519PrivateKey = field(repr=False)

    @property
    def vkey(self) -> Vkey:
        return Vkey(name=self.name, public=self._key.public_key().public_bytes_raw())

    def sign(self, text: str) -> NoteSignature:
        """A signature over ``text``, which must end in LF."""
        return NoteSignature(name=self.name, key_id=self.vkey.key_id, signature=self._key.sign(text.encode()))


def origin_of(service: str) -> str:
    """The origin of a service's trail, which is also the name of its key."""
    return f"{service}/stepup-audit"


def parse_signer(pem: bytes, name: str) -> Signer:
    """A signer from an unencrypted PKCS#8 PEM Ed25519 private key. NoteError on anything else."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoteError("not an unencrypted private key in PKCS#8 PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NoteError("a private key, but not of Ed25519")
    return Signer(_checked_name(name), key)


def generate_signing_key() -> bytes:
    """A new Ed25519 private key, PKCS#8 PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse_vkey(text: str) -> Vkey:
    """``name+hex8+base64`` back to a key. NoteError if it is not an Ed25519 vkey or its id does not fit."""
    name, _, rest = text.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    data = _decode(encoded, "the key")
    if len(data) != 33 or data[:1] != ED25519:
        raise NoteError("not an Ed25519 verifier key")
    vkey = Vkey(name=_checked_name(name), public=data[1:])
    if vkey.key_id.hex() != key_id:
        raise NoteError("the id of the verifier key does not fit the key")
    return vkey


def format_vkey(vkey: Vkey) -> str:
    """One line without LF, the form that ``stepup-audit.vkey`` holds."""
    return f"{vkey.name}+{vkey.key_id.hex()}+{b64encode(ED25519 + vkey.public).decode()}"


def parse_note(data: bytes) -> Note:
    """A signed note. NoteError unless it is spelt in the one canonical way and has a signature."""
    if len(data) > MAX_NOTE:
        raise NoteError("a note of more than 64 KiB")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NoteError("the note is not UTF-8") from None
    text, gap, rest = whole.rpartition("\n\n")
    if not gap or not rest.endswith("\n") or _control(whole):
        raise NoteError("not a signed note")
    note = Note(text=text + "\n", signatures=tuple(_parse_signature(line) for line in rest[:-1].split("\n")))
    if format_note(note.text, note.signatures) != data:
        raise NoteError("the note is not in canonical form")
    return note


def format_note(text: str, signatures: Iterable[NoteSignature]) -> bytes:
    """The bytes of a signed note."""
    lines = [f"{_DASH}{s.name} {b64encode(s.key_id + s.signature).decode()}\n" for s in signatures]
    return f"{text}\n{''.join(lines)}".encode()


def verify_note(note: Note, vkey: Vkey) -> NoteSignature:
    """The signature of that key over the note. NoteError if there is none, or a bad one."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found = [s for s in note.signatures if s.name == vkey.name and s.key_id == vkey.key_id]
    if len(found) != 1:
        raise NoteError(f"not signed by {vkey.name}+{vkey.key_id.hex()}")
    try:
        Ed25519PublicKey.from_public_bytes(vkey.public).verify(found[0].signature, note.text.encode())
    except InvalidSignature:
        raise NoteError("the signature does not fit the note") from None
    return found[0]


def parse_checkpoint(text: str) -> Checkpoint:
    """The text of a checkpoint: origin, size, base64 root, each with its LF; extension lines are refused."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise NoteError("a checkpoint has three lines: origin, size, root")
    root = _decode(lines[2], "the root")
    if not _SIZE.fullmatch(lines[1]) or len(root) != 32:
        raise NoteError("a checkpoint needs a size and a root of 32 bytes")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def format_checkpoint(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin}\n{checkpoint.size}\n{b64encode(checkpoint.root).decode()}\n"


def _parse_signature(line: str) -> NoteSignature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise NoteError("a signature line that is none")
    data = _decode(parts[1], "a signature")
    if len(data) < 5:
        raise NoteError("a signature that is too short")
    return NoteSignature(name=_checked_name(parts[0]), key_id=data[:4], signature=data[4:])


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NoteError("a key name has no spaces, no plus sign and at least one character")
    return name


def _control(text: str) -> bool:
    return any(char < " " and char != "\n" for char in text)


def _decode(text: str, what: str) -> bytes:
    try:
        data = b64decode(text.encode("ascii"), validate=True)
    except (Base64Error, ValueError):
        raise NoteError(f"{what} is not base64") from None
    if b64encode(data).decode() != text:
        raise NoteError(f"{what} is not canonical base64")
    return data
