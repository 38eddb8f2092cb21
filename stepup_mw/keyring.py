"""The service's keys by purpose: signed tokens, keyed digests, sealed secrets.

All hang on ``STEPUP_SECRET_KEY``; each purpose has a key of its own (HKDF, RFC 5869, or an itsdangerous salt), so
that a token or digest of one purpose is nothing in another. The newest key signs and seals; every key opens. Digests
are made with one key for as long as it can be had: the digest key that stands beside the secret keys since the first
rotation, or what it is made from, the oldest secret key. So a rotation moves no session, device or recovery code.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadSignature, Signer

from .errors import BadToken, SealError
from .mac import Mac

TokenPurpose = Literal["grant", "grant_cookie", "device"]
_PURPOSES: tuple[TokenPurpose, ...] = ("grant", "grant_cookie", "device")
DigestPurpose = Literal[
    "session",
    "device",
    "fingerprint",
    "network",
    "asn",
    "country",
    "address",
    "user",
    "recovery",
    "binding",
    "burst",
    "asked",
    "passkey",
    "resume",
]
SealPurpose = Literal["totp", "passkey", "return_to", "pending", "place", "resume", "form"]

_NONCE_BYTES = 12
_KEY_ID_BYTES = 4
_TOKEN_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """As configured: ``secret_keys`` oldest first; ``digest_key`` 32 bytes, or None before the first rotation."""

    secret_keys: tuple[bytes, ...] = field(repr=False)
    digest_key: bytes | None = field(default=None, repr=False)


class Keyring:
    """``secret_keys``: oldest first, at least one. ``random``: a source of random bytes, for nonces. ``digest_key``:
    32 bytes, None for the oldest secret key's. ``reread``: the keys as they are now, None where they are the same; it
    is asked when a key is missing, so that a rotation reaches a running process."""

    def __init__(
        self,
        secret_keys: Sequence[bytes],
        random: Callable[[int], bytes],
        *,
        digest_key: bytes | None = None,
        reread: Callable[[], KeySet | None] = lambda: None,
    ) -> None:
        self._random = random
        self._reread = reread
        self._adopt(KeySet(secret_keys=tuple(secret_keys), digest_key=digest_key))

    def _adopt(self, keys: KeySet) -> None:
        self._keys = keys
        secret_keys = keys.secret_keys
        self.key_ids = tuple(name_key(key) for key in secret_keys)
        self._signers = {purpose: _signer(secret_keys, purpose) for purpose in _PURPOSES}
        self._newest_macs = {purpose: Mac(signer.secret_key) for purpose, signer in self._signers.items()}
        self._newest_signers = {purpose: _signer(secret_keys[-1:], purpose) for purpose in _PURPOSES}
        self._digest_key = keys.digest_key or make_digest_key(secret_keys[0])
        self._digester = Mac(self._digest_key)
        self._sealers = {_key_id(key): AESGCM(_derive(key, b"seal")) for key in secret_keys}
        self._newest = _key_id(secret_keys[-1])
        self.pseudonym = lru_cache(maxsize=4096)(self._pseudonym)
        self.digest = lru_cache(maxsize=4096)(self._digest)
        self.unsign = lru_cache(maxsize=4096)(self._unsign)  # the same keys, the same answer

    def refresh(self) -> bool:
        """Take the keys as they are now; whether they have changed. What a withdrawn key signed is nothing then."""
        found = self._reread()
        if found is None or found == self._keys:
            return False
        self._adopt(found)
        return True

    def is_newest(self, purpose: TokenPurpose, token: str) -> bool:
        """Whether the newest key made a token that ``unsign`` takes."""
        return self._newest_signers[purpose].validate(token)

    def sign(self, purpose: TokenPurpose, identifier: str) -> str:
        """A token that carries ``identifier`` (ASCII without a dot) for one purpose: ``identifier.signature``."""
        return self._signers[purpose].sign(identifier).decode("ascii")

    def _unsign(self, purpose: TokenPurpose, token: str) -> str:
        """The identifier inside. BadToken where the token was not made by this service for this purpose.

        A token has more than one accepted spelling (base64 has spare bits): what it means hangs on the identifier.
        """
        if len(token) > _TOKEN_MAX or not token.isascii() or "." not in token:
            raise BadToken("shape")
        identifier, _, signature = token.rpartition(".")
        if hmac.compare_digest(self._newest_macs[purpose].signature(identifier.encode()), signature.encode()):
            return identifier
        try:
            return self._signers[purpose].unsign(token).decode("ascii")
        except BadSignature:
            if self.refresh():
                return self._unsign(purpose, token)
            raise BadToken("signature") from None

    def _digest(self, purpose: DigestPurpose, text: str) -> str:
        """A keyed hash, ``h:`` and 32 hex digits (128 bits), that only this service can compute or match."""
        data = purpose.encode() + b"\0" + text.encode("utf-8", "surrogatepass")
        return "h:" + self._digester.digest(data)[:16].hex()

    def _pseudonym(self, user: str) -> str:
        """A user id for lines that must not hold it: ``h:``, the newest key's name, and 32 hex digits under that key.
        Who holds the key can compute it again; once the key is destroyed, nobody can tell whose it was."""
        return _pseudonym(self._keys.secret_keys[-1], user)

    def pseudonyms(self, user: str) -> tuple[tuple[str, str], ...]:
        """Every id under which lines may show a user, each with the name of its key, the newest first. The last has
        no name: it is how ids were spelt before they named their key."""
        named = [(name_key(key), _pseudonym(key, user)) for key in reversed(self._keys.secret_keys)]
        return (*named, ("", self._digest("user", user)))

    def seal(self, purpose: SealPurpose, plain: bytes, context: str) -> bytes:
        """AES-256-GCM under the newest key; ``context`` (a user id, a challenge id) is authenticated with it, so
        that a row moved elsewhere does not open. Layout: key id (4), nonce (12), ciphertext and tag."""
        nonce = self._random(_NONCE_BYTES)
        return self._newest + nonce + self._sealers[self._newest].encrypt(nonce, plain, _bound(purpose, context))

    def unseal(self, purpose: SealPurpose, sealed: bytes, context: str) -> bytes:
        """SealError if no configured key opens it for this purpose and context."""
        sealer = self._sealers.get(sealed[:_KEY_ID_BYTES])
        if sealer is None and self.refresh():
            sealer = self._sealers.get(sealed[:_KEY_ID_BYTES])
        if sealer is None:
            raise SealError("sealed under a key that is not configured")
        nonce, data = sealed[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES], sealed[_KEY_ID_BYTES + _NONCE_BYTES :]
        try:
            return sealer.decrypt(nonce, data, _bound(purpose, context))
        except (InvalidTag, ValueError):
            raise SealError("sealed for something else, or changed since") from None


def _signer(secret_keys: Sequence[bytes], purpose: str) -> Signer:
    """As itsdangerous derives the keys of a purpose, but once and not for each token."""
    salt, algorithm = f"stepup_mw.{purpose}.v1", hashlib.sha256
    deriving = Signer(list(secret_keys), salt=salt, key_derivation="hmac", digest_method=algorithm)
    derived = [deriving.derive_key(key) for key in secret_keys]
    return Signer(derived, salt=salt, key_derivation="none", digest_method=algorithm)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"stepup_mw/v1/" + purpose).derive(key)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"stepup_mw/v1/key-id\0" + key).digest()[:_KEY_ID_BYTES]


def _pseudonym(secret_key: bytes, user: str) -> str:
    data = user.encode("utf-8", "surrogatepass")
    return f"h:{name_key(secret_key)}:{hmac.digest(_derive(secret_key, b'user-id'), data, 'sha256')[:16].hex()}"


def make_digest_key(oldest: bytes) -> bytes:
    """The digest key that a service has used while ``oldest`` was its oldest secret key: 32 bytes, one-way."""
    return _derive(oldest, b"digest")


def name_key(secret_key: bytes) -> str:
    """How a key is called where it must not be shown: 8 hex digits of a hash."""
    return _key_id(secret_key).hex()


def sealed_under(sealed: bytes) -> str:
    """The name of the key that sealed this."""
    return sealed[:_KEY_ID_BYTES].hex()


def _bound(purpose: str, context: str) -> bytes:
    return purpose.encode() + b"\0" + context.encode("utf-8", "surrogatepass")
