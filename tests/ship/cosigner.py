"""A C2SP witness for the tests, from c2sp.org/tlog-witness and c2sp.org/tlog-cosignature, with code of its own.

Shares nothing with the package but pymerkle's word: hashing and proof checking stand here a second time.
"""

from __future__ import annotations

import contextlib
import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .http import serving

NAME = "witness.example/w1"
TEXT = "text/plain; charset=utf-8"


def _key_id(name: str, kind: bytes, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + kind + public).digest()[:4]


@dataclass
class Cosigner:
    """Knows one log by its origin and public key. ``seen``: the size and root it cosigned last."""

    origin: str
    public: bytes
    name: str = NAME
    clock: int = 1_795_418_700
    seen: tuple[int, bytes] = (0, b"")
    requests: list[int] = field(default_factory=list)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    lie: bytes | None = None
    mutex: threading.Lock = field(default_factory=threading.Lock)

    @property
    def vkey(self) -> str:
        public = self.key.public_key().public_bytes_raw()
        key_id, data = _key_id(self.name, b"\x04", public), b64encode(b"\x04" + public)
        return f"{self.name}+{key_id.hex()}+{data.decode()}"

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        with self.mutex:
            if path != "/w/add-checkpoint":
                return 404, TEXT, b"no such path\n"
            status, content_type, text = self._judge(body)
            self.requests.append(status)
            return status, content_type, text

    def _judge(self, body: bytes) -> tuple[int, str, bytes]:
        head, gap, note = body.partition(b"\n\n")
        lines = head.decode().split("\n")
        old = re.fullmatch(r"old (0|[1-9][0-9]*)", lines[0])
        if not gap or old is None or len(lines) > 64:
            return 400, TEXT, b"malformed\n"
        text, _, signatures = note.decode().partition("\n\n")
        text += "\n"
        origin, size_text, root_text = text.split("\n")[:3]
        if origin != self.origin:
            return 404, TEXT, b"unknown log\n"
        if not self._signed(text, signatures):
            return 403, TEXT, b"no signature of the log\n"
        size, root = int(size_text), b64decode(root_text)
        if int(old[1]) > size:
            return 400, TEXT, b"old size over the new one\n"
        if int(old[1]) != self.seen[0] or (size == self.seen[0] and root != self.seen[1]):
            return 409, "text/x.tlog.size", b"%d\n" % self.seen[0]
        proof = [b64decode(line) for line in lines[1:]]
        if not grew(self.seen[0], self.seen[1], size, root, proof):
            return 422, TEXT, b"the proof does not hold\n"
        self.seen = size, root
        return 200, TEXT, self._cosign(text)

    def _signed(self, text: str, signatures: str) -> bool:
        wanted = _key_id(self.origin, b"\x01", self.public)
        for line in signatures.splitlines():
            dash, name, data = line.split(" ")
            raw = b64decode(data)
            if (dash, name, raw[:4]) == ("\u2014", self.origin, wanted):
                with contextlib.suppress(InvalidSignature):
                    Ed25519PublicKey.from_public_bytes(self.public).verify(raw[4:], text.encode())
                    return True
        return False

    def _cosign(self, text: str) -> bytes:
        if self.lie is not None:
            return self.lie
        signature = self.key.sign(f"cosignature/v1\ntime {self.clock}\n{text}".encode())
        key_id = _key_id(self.name, b"\x04", self.key.public_key().public_bytes_raw())
        data = b64encode(key_id + self.clock.to_bytes(8) + signature).decode()
        return f"\u2014 {self.name} {data}\n".encode()


def grew(old: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2, by rebuilding both roots from the right-hand edges downwards (recursively)."""
    if old == 0:
        return not proof
    hashes = list(proof)
    try:
        before, after = _rebuild(old, size, hashes, old_root, known=True)
    except IndexError:
        return False
    return not hashes and (before, after) == (old_root, root)


def _rebuild(old: int, size: int, proof: list[bytes], old_root: bytes, *, known: bool) -> tuple[bytes, bytes]:
    """The roots of the first ``old`` and of all ``size`` leaves of a subtree; takes hashes off the proof."""
    if old == size:
        root = old_root if known else proof.pop(0)
        return root, root
    split = 1
    while split * 2 < size:
        split *= 2
    last = proof.pop()
    if old <= split:
        before, after = _rebuild(old, split, proof, old_root, known=known)
        return before, sha256(b"\x01" + after + last).digest()
    before, after = _rebuild(old - split, size - split, proof, old_root, known=False)
    return sha256(b"\x01" + last + before).digest(), sha256(b"\x01" + last + after).digest()


@contextlib.contextmanager
def cosigner(origin: str, public: bytes) -> Iterator[tuple[Cosigner, str]]:
    """A witness at work and the prefix of its URL."""
    made = Cosigner(origin, public)
    with serving(made.answer) as url:
        yield made, url + "/w"
