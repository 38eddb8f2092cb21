"""A secret that nobody has confirmed yet. It lives in a sealed token with the person and nowhere else.

The token opens for its user and session only, for ten minutes, and is good for one enrollment. What is in it never
verifies anything: only a confirmed factor, in the store, does.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import orjson

from ..encoding import b64url_decode, b64url_encode
from ..errors import SealError
from ..totp import SECRET_BYTES
from .services import Services
from .visit import Person

TTL_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """``secret`` is base32; ``factor_id`` the id that the factor will have; ``expires_at`` Unix seconds."""

    factor_id: str
    secret: str = field(repr=False)
    expires_at: float
    token: str = field(repr=False)


def new_pending(services: Services, person: Person, now: float) -> Pending:
    """A fresh secret of 160 bits (RFC 4226 section 4, R6)."""
    secret = base64.b32encode(services.random(SECRET_BYTES)).decode("ascii")
    factor_id, expires_at = b64url_encode(services.random(12)), now + TTL_S
    plain = orjson.dumps([factor_id, secret, expires_at])
    token = b64url_encode(services.keyring.seal("pending", plain, _context(person)))
    return Pending(factor_id=factor_id, secret=secret, expires_at=expires_at, token=token)


def open_pending(services: Services, person: Person, token: str, now: float) -> Pending | None:
    """What is inside; None for a token of another person, session or service, and for one that has expired."""
    try:
        plain = services.keyring.unseal("pending", b64url_decode(token), _context(person))
    except (SealError, ValueError):
        return None
    factor_id, secret, expires_at = orjson.loads(plain)
    if now >= expires_at:
        return None
    return Pending(factor_id=factor_id, secret=secret, expires_at=expires_at, token=token)


async def claim(services: Services, pending: Pending, now: float, *, use: str = "pending") -> bool:
    """Use a pending secret up, for one use: true for one caller, ever."""
    return await services.store.hits(f"{use}:{pending.factor_id}", now=now, window_s=2 * TTL_S, record=True) == 1


def _context(person: Person) -> str:
    return f"{person.user}\0{person.session}"
