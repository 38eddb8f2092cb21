"""The service's keys by purpose: signed tokens, keyed digests, sealed secrets.

All hang on ``STEPUP_SECRET_KEY``; each purpose has a key of its own (HKDF, RFC 5869, or an itsdangerous salt), so
that a token or digest of one purpose is nothing in another. The newest key signs and seals; every key opens.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadSignature, Signer

from .errors import BadToken, SealError

TokenPurpose = Literal["grant", "grant_cookie", "device"]
_PURPOSES: tuple[TokenPurpose, ...] = ("grant", "grant_cookie", "device")
DigestPurpose = Literal[
    "session", "device", "fingerprint", "network", "address", "user", "recovery", "binding", "burst"
]
SealPurpose = Literal["totp", "return_to"]

_NONCE_BYTES = 12
_KEY_ID_BYTES = 4
_TOKEN_MAX = 512


class Keyring:
    """``secret_keys``: oldest first, at least one. ``random``: a source of random bytes, for nonces."""

    def __init__(self, secret_keys: Sequence[bytes], random: Callable[[int], bytes]) -> None:
        self._random = random
        self._signers = {purpose: _signer(secret_keys, purpose) for purpose in _PURPOSES}
        self._digest_key = _derive(secret_keys[-1], b"digest")
        self._sealers = {_key_id(key): AESGCM(_derive(key, b"seal")) for key in secret_keys}
        self._newest = _key_id(secret_keys[-1])
        self.digest = lru_cache(maxsize=4096)(self._digest)
        self.unsign = lru_cache(maxsize=4096)(self._unsign)  # keys never change here, so neither does an answer

    def sign(self, purpose: TokenPurpose, identifier: str) -> str:
        """A token that carries ``identifier`` (ASCII without a dot) for one purpose: ``identifier.signature``."""
        return self._signers[purpose].sign(identifier).decode("ascii")

    def _unsign(self, purpose: TokenPurpose, token: str) -> str:
        """The identifier inside. BadToken where the token was not made by this service for this purpose.

        A token has more than one accepted spelling (base64 has spare bits): what it means hangs on the identifier.
        """
        if len(token) > _TOKEN_MAX or not token.isascii() or "." not in token:
            raise BadToken("shape")
        try:
            return self._signers[purpose].unsign(token).decode("ascii")
        except BadSignature:
            raise BadToken("signature") from None

    def _digest(self, purpose: DigestPurpose, text: str) -> str:
        """A keyed hash, ``h:`` and 32 hex digits (128 bits), that only this service can compute or match."""
        data = purpose.encode() + b"\0" + text.encode("utf-8", "surrogatepass")
        return "h:" + hmac.digest(self._digest_key, data, "sha256")[:16].hex()

    def seal(self, purpose: SealPurpose, plain: bytes, context: str) -> bytes:
        """AES-256-GCM under the newest key; ``context`` (a user id, a challenge id) is authenticated with it, so
        that a row moved elsewhere does not open. Layout: key id (4), nonce (12), ciphertext and tag."""
        nonce = self._random(_NONCE_BYTES)
        return self._newest + nonce + self._sealers[self._newest].encrypt(nonce, plain, _bound(purpose, context))

    def unseal(self, purpose: SealPurpose, sealed: bytes, context: str) -> bytes:
        """SealError if no configured key opens it for this purpose and context."""
        sealer = self._sealers.get(sealed[:_KEY_ID_BYTES])
        if sealer is None:
            raise SealError("sealed under a key that is not configured")
        nonce, data = sealed[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES], sealed[_KEY_ID_BYTES + _NONCE_BYTES :]
        try:
            return sealer.decrypt(nonce, data, _bound(purpose, context))
        except (InvalidTag, ValueError):
            raise SealError("sealed for something else, or changed since") from None


def _signer(secret_keys: Sequence[bytes], purpose: str) -> Signer:
    return Signer(
        list(secret_keys), salt=f"stepup_mw.{purpose}.v1", key_derivation="hmac", digest_method=hashlib.sha256
    )


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"stepup_mw/v1/" + purpose).derive(key)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"stepup_mw/v1/key-id\0" + key).digest()[:_KEY_ID_BYTES]


def _bound(purpose: str, context: str) -> bytes:
    return purpose.encode() + b"\0" + context.encode("utf-8", "surrogatepass")
