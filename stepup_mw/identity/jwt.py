"""Identity from the access token of a request: ``Authorization: Bearer``, a JWT that an OpenID provider has signed.

What the token says of how its user authenticated goes with the identity. Only the header counts: a token in a query or
a form is none. A DPoP token is refused, since its proof of possession is not checked here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from ..assertion import JwtSettings
from ..errors import AmbiguousRequest, TokenRefused
from ..messages import Request
from ..settings import IdentitySettings
from . import Identity
from .claims import assertion_of, check_claims, named_text
from .jwks import KeySource
from .keyset import read_header, verified_claims

MAX_TOKEN = 16 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class JwtProvider:
    """``user`` and ``session`` of the settings are claims; ``sub`` where no ``user`` is named."""

    def __init__(
        self, settings: IdentitySettings, jwt: JwtSettings, clock: Callable[[], float], keys: KeySource | None = None
    ) -> None:
        self._user = settings.user or "sub"
        self._session = settings.session
        self._jwt = jwt
        self._clock = clock
        self._types = frozenset(name.lower() for name in jwt.token_types)
        self._keys = keys or KeySource(jwt.jwks, keep_s=jwt.keep_s)

    async def __call__(self, request: Request) -> Identity | None:
        token = bearer_token(request)
        if token is None:
            return None
        claims = await self._verify(token)
        user = named_text(claims, self._user)
        if user is None:
            raise TokenRefused("claims", "The access token names no user")
        return Identity(
            user=user,
            session=named_text(claims, self._session) if self._session else None,
            assertion=assertion_of(claims, hashlib.sha256(token.encode("ascii")).hexdigest()),
        )

    async def _verify(self, token: str) -> dict[str, Any]:
        header, jwt = read_header(token), self._jwt
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in jwt.algorithms:
            raise TokenRefused("algorithm", "The access token is signed by an algorithm that is not taken here")
        if "crit" in header or "b64" in header:
            raise TokenRefused("malformed", "The access token wants something that is not understood here")
        if _type_of(header) not in self._types:
            raise TokenRefused("type", "The token is of another type than an access token")
        key = await self._keys.find(kid, algorithm)
        if key is None:
            raise TokenRefused("unknown_key", "The access token is signed by a key that the issuer does not have")
        claims = verified_claims(token, key)
        check_claims(claims, issuer=jwt.issuer, audience=jwt.audience, now=self._clock(), leeway_s=jwt.leeway_s)
        return claims


def bearer_token(request: Request) -> str | None:
    """The token of the one ``Authorization`` header, None for none or for another scheme. AmbiguousRequest for two
    headers, which servers and apps read in different ways; TokenRefused for what no JWT can be."""
    values = request.header_values(b"authorization")
    if not values:
        return None
    scheme, _, rest = values[0].decode("latin-1").partition(" ")
    if len(values) > 1 or (b"," in values[0] and scheme.lower() in ("bearer", "dpop")):
        raise AmbiguousRequest("identity", "more than one Authorization header")
    if scheme.lower() == "dpop":
        raise TokenRefused("scheme", "DPoP proofs are not checked here")
    if scheme.lower() != "bearer":
        return None
    token = rest.strip(" ")
    if len(token) > MAX_TOKEN:
        raise TokenRefused("too_long", "The access token is too long")
    if not _TOKEN.fullmatch(token):
        raise TokenRefused("malformed", "The access token is malformed")
    return token


def _type_of(header: dict[str, Any]) -> str:
    """``typ`` in lower case without ``application/`` (RFC 7515 section 4.1.9); a token without one is a ``jwt``."""
    kind = header.get("typ", "JWT")
    return kind.lower().removeprefix("application/") if isinstance(kind, str) else ""
