"""A JSON Web Key Set (RFC 7517) as the public keys that may verify a token, and the signature of a token by one.

The only importer of PyJWT. A key is used for the algorithms that its own type, curve and ``alg`` allow and for no
other; symmetric, private, encrypting and weak keys are none. What a token says about keys (``jku``, ``x5u``, ``jwk``,
``x5c``) is never looked at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ..errors import MissingExtra, TokenRefused

try:
    from jwt import PyJWK
    from jwt.api_jws import PyJWS
    from jwt.exceptions import PyJWTError
    from jwt.utils import base64url_decode
except ImportError as error:
    raise MissingExtra('identity.provider = "jwt"', "PyJWT", "jwt") from error

MAX_KEYS = 64
MIN_RSA_BITS = 2048

_TYPES: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""By algorithm: the key type and curve that it needs."""

_JWS = PyJWS(algorithms=list(_TYPES))


class Key(NamedTuple):
    data: Mapping[str, Any]
    made: dict[str, PyJWK]
    """By algorithm, made at first use."""


class KeySet:
    """The keys that can be used, in their order."""

    def __init__(self, keys: Sequence[Mapping[str, Any]]) -> None:
        self._keys = tuple(Key(data, {}) for data in keys)

    def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The one key of that id, or of all for a token that names none; None where there is none, or a choice."""
        fitting = [
            key
            for key in self._keys
            if (kid is None or key.data.get("kid") == kid) and _fits(key.data, algorithm)
        ]  # fmt: skip
        if len(fitting) != 1:
            return None
        key = fitting[0]
        if algorithm not in key.made:
            try:
                key.made[algorithm] = PyJWK(dict(key.data), algorithm=algorithm)
            except PyJWTError:
                return None
        return key.made[algorithm]


def parse_keys(data: bytes) -> KeySet:
    """ValueError for what is no set, or holds no key that can be used: such an answer replaces nothing."""
    try:
        document = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    found = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ValueError('no JSON object with a list of "keys"')
    usable = [key for key in found[:MAX_KEYS] if isinstance(key, dict) and _is_usable(key)]
    if not usable:
        raise ValueError("no key that can verify a signature")
    return KeySet(usable)


def _is_usable(key: Mapping[str, Any]) -> bool:
    operations = key.get("key_ops", ["verify"])
    if key.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return False
    if "d" in key or not any(_fits(key, algorithm) for algorithm in _TYPES):
        return False
    return key.get("kty") != "RSA" or _rsa_bits(key.get("n")) >= MIN_RSA_BITS


def _rsa_bits(modulus: object) -> int:
    return len(modulus.rstrip("=")) * 6 if isinstance(modulus, str) else 0


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    kind, curve = _TYPES[algorithm]
    same_curve = curve is None or key.get("crv") == curve
    return key.get("kty") == kind and same_curve and key.get("alg", algorithm) == algorithm


def read_header(token: str) -> dict[str, Any]:
    """The header of a token, which nobody has vouched for yet. TokenRefused where there is none."""
    try:
        header: dict[str, Any] = _JWS.get_unverified_header(token)
        json.loads(base64url_decode(token.partition(".")[0]), object_pairs_hook=_unique)
    except (PyJWTError, ValueError, RecursionError) as error:
        raise TokenRefused("malformed", "The access token is malformed") from error
    return header


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """ValueError for a name that stands twice, of which another reader may take the other value (RFC 7519, 4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def verified_claims(token: str, key: PyJWK) -> dict[str, Any]:
    """The claims of a token that ``key`` has signed. TokenRefused otherwise."""
    options: Any = {"verify_signature": True, "enforce_minimum_key_length": True}
    try:
        payload = _JWS.decode_complete(token, key, algorithms=[key.algorithm_name], options=options)["payload"]
    except (PyJWTError, ValueError, TypeError) as error:
        raise TokenRefused("signature", "The signature of the access token does not verify") from error
    try:
        orjson.loads(payload)  # the stricter of the two: no NaN, no lone surrogate, not nested without end
        claims = json.loads(payload, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise TokenRefused("malformed", "The access token is malformed")
    return claims
