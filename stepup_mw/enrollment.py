"""Factors for a user: a new TOTP secret or one from elsewhere, recovery codes, and taking them away. All on record.

The secret leaves here once, in the answer to whoever enrolls; the store has it sealed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from . import recovery
from .encoding import b64url_encode
from .errors import EnrollmentError, SealError
from .gate.services import Services
from .gate.told import tell
from .gate.visit import shown_user
from .identity import MAX_USER
from .imports import Row
from .state import MAX_FACTORS, Factor
from .totp import SECRET_BYTES, parse_secret, provisioning_uri

__all__ = ["Enrolled", "EnrollmentError", "bring_in", "enroll", "parse_secret", "revoke", "unlock"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What the person needs, shown once. ``uri`` is an ``otpauth://`` URI for a QR code."""

    user: str
    secret: str
    uri: str
    recovery_codes: tuple[str, ...]
    replaced: bool


async def enroll(services: Services, user: str, *, secret: str | None = None) -> Enrolled:
    """Give a user a factor, in the place of any they had; earlier grants and recovery codes are void."""
    if not user or len(user) > MAX_USER or not user.isprintable():
        raise EnrollmentError(f"a user name has 1 to {MAX_USER} printable characters")
    plain = base64.b32encode(services.random(SECRET_BYTES)).decode("ascii") if secret is None else parse_secret(secret)
    codes = recovery.new_codes(services.random)
    digests = [services.keyring.digest("recovery", f"{user}\0{recovery.parse_code(code)}") for code in codes]
    factor = Factor(
        user=user,
        factor_id=b64url_encode(services.random(12)),
        sealed=services.keyring.seal("totp", plain.encode("ascii"), user),
        created_at=services.clock(),
    )
    had = bool(await services.store.factors(user))
    phase = "replaced" if had else "enrolled"
    detail = {"method": "totp", "factor_id": factor.factor_id, "by": "operator"}
    await services.journal.write(
        services.journal.notice("enrollment", phase, user=shown_user(services, user), detail=detail)
    )
    replaced = await services.store.put_factor(factor, digests)
    tell(services, "factor_changed", user, change=phase, by="operator")
    uri = provisioning_uri(plain, user, services.settings.service)
    return Enrolled(user=user, secret=plain, uri=uri, recovery_codes=codes, replaced=replaced)


async def bring_in(services: Services, row: Row) -> bool:
    """Give a user an authenticator they have from elsewhere, beside any they have here. False, and nothing changed,
    where it is here already. The row has been checked; recovery codes are not made."""
    secret = parse_secret(row.secret)
    held = await services.store.factors(row.user)
    if len(held) >= MAX_FACTORS or secret in {_opened(services, factor) for factor in held}:
        return False
    factor = Factor(
        user=row.user,
        factor_id=b64url_encode(services.random(12)),
        sealed=services.keyring.seal("totp", secret.encode("ascii"), row.user),
        created_at=services.clock(),
        last_step=row.last_step,
        label=row.label,
    )
    detail = {"method": "totp", "factor_id": factor.factor_id, "by": "operator", "imported": True}
    await services.journal.write(
        services.journal.notice("enrollment", "enrolled", user=shown_user(services, row.user), detail=detail)
    )
    added = await services.store.add_factor(factor)
    tell(services, "factor_changed", row.user, change="enrolled", by="operator")
    return added


def _opened(services: Services, factor: Factor) -> str:
    try:
        return services.keyring.unseal("totp", factor.sealed, factor.user).decode("ascii")
    except SealError:
        return ""


async def revoke(services: Services, user: str) -> int:
    """Take away every factor, recovery code and grant of a user; how many factors there were."""
    if not await services.store.factors(user):
        return 0
    await services.journal.write(
        services.journal.notice(
            "enrollment", "removed", user=shown_user(services, user), detail={"method": "totp", "by": "operator"}
        )
    )
    removed = await services.store.remove_factors(user)
    tell(services, "factor_changed", user, change="removed", by="operator")
    return removed


async def unlock(services: Services, user: str) -> bool:
    """Clear a user's failures and lock; true if there was anything to clear."""
    failures, until = await services.store.failures(user)
    if not failures and not until:
        return False
    await services.journal.write(
        services.journal.notice(
            "throttle", "unlocked", user=shown_user(services, user), detail={"failures": failures, "by": "operator"}
        )
    )
    return await services.store.unlock(user)
