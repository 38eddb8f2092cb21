"""The claims of a verified access token: is it for this service, from its provider, and in its time (RFC 9068, 8725)?

Pure. What is missing or of another type is refused, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..assertion import Assertion
from ..errors import TokenRefused

MAX_AMR = 16
_MAX_TEXT = 256


def check_claims(
    claims: Mapping[str, Any], *, issuer: str, audience: Sequence[str], now: float, leeway_s: float
) -> None:
    """TokenRefused unless ``iss`` is the issuer, ``aud`` names one of ours, and now lies between ``nbf`` and ``exp``.
    A token that is bound to a key of its sender (``cnf``: DPoP, mTLS) is no bearer token, and is refused."""
    if claims.get("iss") != issuer:
        raise TokenRefused("issuer", "The access token is from another issuer")
    named = claims.get("aud")
    audiences = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    if not any(isinstance(name, str) and name in audience for name in audiences):
        raise TokenRefused("audience", "The access token is for another audience")
    expires_at, begins_at, issued_at = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if expires_at is None:
        raise TokenRefused("claims", "The access token has no exp")
    if now >= expires_at + leeway_s:
        raise TokenRefused("expired", "The access token has expired")
    if max(begins_at or 0.0, issued_at or 0.0) > now + leeway_s:
        raise TokenRefused("not_yet", "The access token is not valid yet")
    if claims.get("cnf") is not None:
        raise TokenRefused("bound", "The access token is bound to a key of its sender, which is not checked here")


def named_text(claims: Mapping[str, Any], name: str) -> str | None:
    """A claim that is a text, or None where there is none. TokenRefused for another type."""
    value = claims.get(name)
    if value is None or (isinstance(value, str) and value):
        return value
    raise TokenRefused("claims", "A claim that names the user or the session is no text")


def assertion_of(claims: Mapping[str, Any], token_id: str) -> Assertion:
    """``acr``, ``amr`` and ``auth_time``; one of another type counts as missing."""
    acr, amr = claims.get("acr"), claims.get("amr")
    methods = amr if isinstance(amr, list) else []
    return Assertion(
        acr=acr if isinstance(acr, str) and 0 < len(acr) <= _MAX_TEXT else None,
        amr=tuple(item for item in methods[:MAX_AMR] if isinstance(item, str) and len(item) <= _MAX_TEXT),
        auth_time=_number(claims.get("auth_time")),
        token_id=token_id,
    )


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    number = _number(value)
    if value is not None and number is None:
        raise TokenRefused("claims", "A time of the access token is no number")
    return number


def _number(value: object) -> float | None:
    """Unix seconds, None for what is none: a text, true, infinity, an integer beyond any clock."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return float(value) if math.isfinite(value) else None
