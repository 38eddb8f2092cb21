"""TOTP secrets that live in the app's own database: what the app gives, asked for at each code and never kept here.

    class Devices:
        async def secrets(self, user: str) -> Sequence[ProvidedSecret]:
            rows = await database.fetch("SELECT id, secret, name FROM device WHERE user = $1", user)
            return [ProvidedSecret(factor_id=str(row.id), secret=row.secret, label=row.name) for row in rows]

    app.add_middleware(StepUpMiddleware, config="stepup.toml", secrets=Devices())

The store keeps, for each ``factor_id``, the time step last taken and the learned drift, so that a code is still good
once only. When the app changes or removes a secret it says so itself (``stepup_mw.revoke(user)``): here nobody can
see that. What the provider raises is a 503 and never access.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

PREFIX = "app:"
"""Begins the factor id of a row that keeps steps for one of the app's own secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvidedSecret:
    """One authenticator of the app's. ``factor_id``: the app's name for it, the same at every call and another for
    another secret. ``secret``: base32, 128 bits or more; 30 second steps, 6 digits, SHA-1."""

    factor_id: str
    secret: str = field(repr=False)
    label: str = ""


class SecretProvider(Protocol):
    """What the app passes as ``secrets=``."""

    async def secrets(self, user: str) -> Sequence[ProvidedSecret]:
        """The user's authenticators, none for none. Any exception is a refusal (503)."""
        ...


def row_id(secret: ProvidedSecret) -> str:
    """The id of the store's row for it: a digest, for the app's ids may be anything."""
    return PREFIX + hashlib.sha256(secret.factor_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]
