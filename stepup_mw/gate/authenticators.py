"""A person changes what they have: a new authenticator, another in its place, one less, new recovery codes.

Every change is proven by a code of what the person has already, but for the first authenticator, and judged within
the account's one budget of guesses. The line is on record before anything changes; grants are void after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import recovery, totp
from ..state import MAX_FACTORS, Factor
from .change import Change, Kind, Outcome, count, count_and_prove, done, prove, reject, write
from .codes import Judged, is_enrolled, own_factors, recovery_digest
from .losses import refuse_missed
from .pending import Pending, claim
from .services import Services


async def may_begin(services: Services, user: str, now: float) -> bool:
    """Whether a person without an authenticator may enroll one here: where enrollment is theirs, and while grace
    lasts; never after, for that would be a way around the authenticator. StoreLost where the one they had may be
    lost."""
    settings = services.settings.challenge
    open_now = settings.enroll == "self" or (settings.enroll == "grace" and now < settings.grace_until)
    if open_now:
        await refuse_missed(services, user)
    return open_now


async def may_change(services: Services, user: str, now: float) -> bool:
    """Whether a person's authenticators are theirs to see and change here: they have one, or may begin."""
    return await is_enrolled(services, user) or await may_begin(services, user, now)


async def enroll(services: Services, change: Change) -> Outcome:
    """Confirm a pending secret: the person's first authenticator, one more, or one in the place of ``factor_id``."""
    pending, user = change.pending, change.person.user
    held = await own_factors(services, user, kind="totp")
    had = await is_enrolled(services, user)
    refused = await _unfit(services, change, held, had)
    if pending is None or refused is not None:
        return refused or Outcome(kind="gone")
    counted = await count(services, change)
    if isinstance(counted, Outcome):
        return counted
    found = _judge_new(services, change, pending)
    if found.kind != "fresh":
        judged = Judged(verdict="skewed" if found.kind == "skewed" else "wrong", drift=found.drift)
        return await reject(services, change, judged, counted, field="code")
    proven = await prove(services, change, counted) if had else Judged(verdict="right")
    if isinstance(proven, Outcome):
        return proven
    if not await claim(services, pending, change.now):
        return Outcome(kind="gone")
    factor = _make(services, change, pending, found)
    return await keep(services, change, factor, held, had=had, proof=proven.method)


def _judge_new(services: Services, change: Change, pending: Pending) -> totp.Judgement:
    code, window = totp.parse_code(change.code) or "", services.settings.challenge.window
    return totp.judge(pending.secret, code, now=change.now, window=window, last_step=-1)


def _make(services: Services, change: Change, pending: Pending, found: totp.Judgement) -> Factor:
    """The factor of a confirmed secret; the code that confirmed it is used up."""
    user = change.person.user
    return Factor(
        user=user,
        factor_id=pending.factor_id,
        sealed=services.keyring.seal("totp", pending.secret.encode("ascii"), user),
        created_at=change.now,
        last_step=found.step,
        drift=totp.learn_drift(0, found.drift) if services.settings.challenge.window else 0,
        label=change.label,
    )


async def remove(services: Services, change: Change) -> Outcome:
    """Take one authenticator away. Never the last: without one the account would be back where it began."""
    held = await own_factors(services, change.person.user)
    if change.factor_id not in {factor.factor_id for factor in held if factor.kind == "totp"}:
        return Outcome(kind="unknown")
    if len(held) == 1:
        return Outcome(kind="last")
    proven = await count_and_prove(services, change)
    if isinstance(proven, Outcome):
        return proven
    await write(services, change, "removed", factor_id=change.factor_id, method="totp", proof=proven.method)
    await services.store.remove_factor(change.person.user, change.factor_id)
    await done(services, change, "removed", proof=proven.method)
    return Outcome(kind="removed")


async def renew_codes(services: Services, change: Change) -> Outcome:
    """New recovery codes; those of before are void."""
    if not await is_enrolled(services, change.person.user):
        return Outcome(kind="admin")
    proven = await count_and_prove(services, change)
    if isinstance(proven, Outcome):
        return proven
    await write(services, change, "recovery_codes", method="recovery_code", proof=proven.method)
    codes, digests = _new_codes(services, change)
    await services.store.put_recovery(change.person.user, digests)
    await done(services, change, "recovery_codes", proof=proven.method)
    return Outcome(kind="recovery_codes", recovery_codes=codes)


async def _unfit(services: Services, change: Change, held: Sequence[Factor], had: bool) -> Outcome | None:
    """Why this enrollment cannot be, before any code is looked at."""
    if not had and not await may_begin(services, change.person.user, change.now):
        return Outcome(kind="admin")
    if change.factor_id and change.factor_id not in {factor.factor_id for factor in held}:
        return Outcome(kind="unknown")
    if len(held) >= MAX_FACTORS and not change.factor_id:
        return Outcome(kind="full")
    return None


async def keep(
    services: Services, change: Change, factor: Factor, held: Sequence[Factor], *, had: bool, proof: str
) -> Outcome:
    """Put the change on record, then into the store. A first authenticator takes no other's place, also when two
    enroll at once; new recovery codes come with the first and with one that replaces another."""
    store, user = services.store, change.person.user
    kind: Kind = "replaced" if change.factor_id else "enrolled"
    rows = await store.factors(user)
    if proof == "totp":  # a step is the user's: the code that proved it must not open anything by the new one
        factor = factor._replace(last_step=max(factor.last_step, *(row.last_step for row in rows)))
    await write(services, change, kind, factor_id=factor.factor_id, method=factor.kind, proof=proof or None)
    codes, digests = _new_codes(services, change) if change.factor_id or not had else ((), [])
    if change.factor_id and len(rows) == 1 == len(held):
        await store.put_factor(factor, digests)
    else:
        room = MAX_FACTORS + 1 if had else sum(not row.sealed for row in rows) + 1
        if not await store.add_factor(factor, keep=room):
            await write(services, change, "rejected", factor_id=factor.factor_id, method=factor.kind, verdict="raced")
            return Outcome(kind="gone")
        if change.factor_id:
            await store.remove_factor(user, change.factor_id)
        if codes:
            await store.put_recovery(user, digests)
    await done(services, change, kind, proof=proof)
    return Outcome(kind=kind, factor=factor._replace(sealed=b""), recovery_codes=codes)


def _new_codes(services: Services, change: Change) -> tuple[tuple[str, ...], list[str]]:
    codes = recovery.new_codes(services.random)
    letters = [recovery.parse_code(code) or "" for code in codes]
    return codes, [recovery_digest(services, change.person.user, code) for code in letters]
