"""A person makes a passkey theirs, or gives one up.

Who holds a passkey changes passkeys by a passkey only: else a code, which can be phished, would open by way of a new
passkey what a rule keeps for those that cannot. The line is on record before anything changes; grants are void after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import PasskeyError
from ..passkeys import Passkey, format_passkey, verify_creation
from ..state import MAX_FACTORS, Factor
from . import passkeys
from .authenticators import keep, may_begin
from .change import Change, Outcome, count, count_and_prove, current_proofs, done, prove, reject, write
from .codes import Judged, is_enrolled, own_factors
from .pending import claim
from .services import Services


def proofs_for(services: Services, *, holds: bool) -> tuple[str, ...]:
    """By what a change of passkeys is proven, for one who holds some and one who does not."""
    return ("passkey",) if holds else tuple(name for name in current_proofs(services) if name != "passkey")


async def register(services: Services, change: Change, answer: Mapping[str, Any]) -> Outcome:
    """Keep the passkey that a browser has made for ``change.pending``."""
    user, pending = change.person.user, change.pending
    had, mine = await is_enrolled(services, user), await passkeys.held(services, user)
    refused = await _unfit(services, change, had, len(await own_factors(services, user)))
    if pending is None or refused is not None:
        return refused or Outcome(kind="gone")
    counted = await count(services, change)
    if isinstance(counted, Outcome):
        return counted
    made = _judge_made(services, change, answer)
    if made is None:
        return await reject(services, change, Judged(verdict="wrong", method="passkey"), counted, field="code")
    proven: Judged | Outcome = Judged(verdict="right")
    if had:
        proven = await prove(services, change, counted, by=proofs_for(services, holds=bool(mine)))
    if isinstance(proven, Outcome):
        return proven
    if not await claim(services, pending, change.now):
        return Outcome(kind="gone")
    return await keep(services, change, _row(services, change, made), (), had=had, proof=proven.method)


async def give_up(services: Services, change: Change) -> Outcome:
    """Take one passkey away; never the last authenticator of all."""
    user = change.person.user
    mine = {each.factor.factor_id for each in await passkeys.held(services, user)}
    if change.factor_id not in mine:
        return Outcome(kind="unknown")
    if len(await own_factors(services, user)) == 1:
        return Outcome(kind="last")
    proven = await count_and_prove(services, change, by=proofs_for(services, holds=True))
    if isinstance(proven, Outcome):
        return proven
    await write(services, change, "removed", factor_id=change.factor_id, method="passkey", proof=proven.method)
    await services.store.remove_factor(user, change.factor_id)
    await done(services, change, "removed", proof=proven.method)
    return Outcome(kind="removed")


async def _unfit(services: Services, change: Change, had: bool, held: int) -> Outcome | None:
    if not had and not await may_begin(services, change.person.user, change.now):
        return Outcome(kind="admin")
    return Outcome(kind="full") if held >= MAX_FACTORS else None


def _judge_made(services: Services, change: Change, answer: Mapping[str, Any]) -> Passkey | None:
    party, pending = passkeys.party_of(services), change.pending
    if party is None or pending is None:
        return None
    try:
        challenge = passkeys.signed_for(services, "creation", pending.factor_id)
        return verify_creation(answer, party=party, challenge=challenge)
    except PasskeyError:
        return None


def _row(services: Services, change: Change, made: Passkey) -> Factor:
    user = change.person.user
    return Factor(
        user=user,
        factor_id=made.factor_id,
        sealed=services.keyring.seal("passkey", format_passkey(made), user),
        created_at=change.now,
        label=change.label,
    )
