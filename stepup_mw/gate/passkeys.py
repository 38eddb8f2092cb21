"""Passkeys in the gate: which a user holds, what a browser is asked to sign, and whether its answer is theirs.

The challenge that is signed is made from the id of what it is for, a challenge of a rule or a pending change, each
of which is passed once; nothing has to be kept for it. The caller has counted the attempt before it comes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from ..errors import PasskeyError, SealError
from ..passkeys import (
    Passkey,
    RelyingParty,
    credential_id_of,
    format_passkey,
    parse_passkey,
    request_options,
    verify_assertion,
)
from ..state import Factor
from .codes import WRONG, Judged, Trying, judge_code
from .services import Services

Use = Literal["challenge", "creation", "change"]
"""What a browser signs for: to pass a challenge, to make a passkey, to prove a change."""


class Held(NamedTuple):
    factor: Factor
    passkey: Passkey


def party_of(services: Services) -> RelyingParty | None:
    """Who the passkeys are for; None where there are none (no ``[passkeys]`` in the configuration)."""
    return services.settings.passkeys


def signed_for(services: Services, use: Use, identifier: str) -> bytes:
    """The WebAuthn challenge for one use: 128 bits that only this service can make."""
    return services.keyring.digest("passkey", f"{use}\0{identifier}").encode("ascii")


async def held(services: Services, user: str) -> tuple[Held, ...]:
    """The user's passkeys, oldest first. One whose row does not open counts for nothing."""
    return _open(services, user, await services.store.factors(user))


def _open(services: Services, user: str, rows: Sequence[Factor]) -> tuple[Held, ...]:
    found = []
    for factor in rows:
        if factor.kind == "passkey":
            try:
                found.append(Held(factor, parse_passkey(services.keyring.unseal("passkey", factor.sealed, user))))
            except (SealError, ValueError):
                continue
    return tuple(found)


async def options(services: Services, user: str, use: Use, identifier: str) -> dict[str, Any] | None:
    """What ``navigator.credentials.get`` is given; None where the user has no passkey, or nobody can have one."""
    party, mine = party_of(services), await held(services, user)
    if party is None or not mine:
        return None
    challenge = signed_for(services, use, identifier)
    return request_options(party, challenge=challenge, held=[each.passkey for each in mine])


async def current(services: Services, user: str, identifier: str) -> dict[str, Any] | None:
    """``{"publicKey": options}`` to prove the change of that id; None where there is no passkey to prove it with."""
    asked = await options(services, user, "change", identifier)
    return {"publicKey": asked} if asked is not None else None


async def judge_answer(
    services: Services,
    user: str,
    answer: str | Mapping[str, Any],
    *,
    allowed: Sequence[str],
    now: float,
    signed: tuple[Use, str],
    trying: Trying | None = None,
) -> Judged:
    """A code as sent, or a passkey's answer for one use, by the ``allowed`` proofs; taken if it is right. ``trying``:
    the challenge that it is for, where it is for one."""
    if isinstance(answer, str):
        return await judge_code(services, user, answer, allowed=allowed, now=now, trying=trying)
    if "passkey" not in allowed:
        return WRONG
    rows = trying.factors if trying is not None else await services.store.factors(user)
    return await _judge(services, _open(services, user, rows), answer, signed_for(services, *signed))


async def _judge(services: Services, passkeys: Sequence[Held], answer: Mapping[str, Any], challenge: bytes) -> Judged:
    """Whether a browser's answer is of one of these passkeys, for this use; its count of signatures is taken."""
    party = party_of(services)
    if party is None:
        return WRONG
    try:
        credential_id = credential_id_of(answer)
        mine = next((each for each in passkeys if each.passkey.credential_id == credential_id), None)
        if mine is None:
            return WRONG
        found = verify_assertion(answer, passkey=mine.passkey, party=party, challenge=challenge)
    except PasskeyError:
        return WRONG
    taken = await _take(services, mine, found.sign_count)
    return Judged(verdict="right" if taken else "replayed", method="passkey", factor_id=mine.factor.factor_id)


async def _take(services: Services, mine: Held, count: int) -> bool:
    """The count must rise, where one is kept (WebAuthn section 7.2, step 22): else it is a copy that signs. Taken by
    comparing and swapping, so that of two answers with one count only one is right."""
    before = mine.passkey.sign_count
    if count == 0 and before == 0:
        return True
    if count <= before:
        return False
    factor = mine.factor
    anew = services.keyring.seal("passkey", format_passkey(replace(mine.passkey, sign_count=count)), factor.user)
    return await services.store.replace_sealed(factor.user, factor.factor_id, anew, expected=factor.sealed)
