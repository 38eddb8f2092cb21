"""A wish to change one's authenticators: what is asked, its proof within the account's budget, and what came of it.

The attempt is counted before any code is compared, and every code that did not pass is one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .. import totp
from ..forwarding import Address
from ..state import Attempt, Factor
from . import duplicates
from .codes import Judged
from .passkeys import judge_answer
from .pending import Pending, claim
from .services import Services
from .told import Seen, lock_begun, tell, tell_of_proof
from .visit import Person, shown_user
from .whereabouts import shown_address, throttled

Kind = Literal["enrolled", "replaced", "removed", "recovery_codes", "wrong", "replayed", "skewed", "locked", "gone",
               "full", "last", "unknown", "admin"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is asked for. ``code`` is of the new authenticator, ``current_code`` of what the person has (a code as
    sent, or a passkey's answer for ``pending``); ``factor_id``
    names the authenticator to replace or remove, "" for none."""

    person: Person
    address: Address
    seen: Seen
    now: float
    pending: Pending | None = None
    code: str = ""
    current_code: str | Mapping[str, Any] = ""
    label: str = ""
    factor_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it. ``field`` is which code did not pass; ``recovery_codes`` are shown this once.

    gone: no pending secret, or one used before. full, last, unknown: no room for one more, the last cannot be
    removed, no such authenticator. admin: a first authenticator is an operator's to give here.
    """

    kind: Kind
    factor: Factor | None = None
    recovery_codes: tuple[str, ...] = ()
    field: Literal["code", "current_code", ""] = ""
    locked_until: float = 0.0
    attempts_left: int = 0
    drift_s: int = 0


def current_proofs(services: Services) -> tuple[str, ...]:
    """By what a change can be proven. A recovery code counts only where every rule takes one: else it would open, by
    way of a new authenticator, what a rule keeps from it."""
    everywhere = all("recovery_code" in rule.factors for rule in services.settings.rules)
    codes = ("totp", "recovery_code") if everywhere else ("totp",)
    return codes if services.settings.passkeys is None else ("passkey", *codes)


async def count_and_prove(services: Services, change: Change, *, by: Sequence[str] | None = None) -> Judged | Outcome:
    counted = await count(services, change)
    return counted if isinstance(counted, Outcome) else await prove(services, change, counted, by=by)


async def count(services: Services, change: Change) -> Attempt | Outcome:
    """Count the attempt against the account and the address before any code is compared."""
    user = change.person.user
    _, until = await services.store.failures(user)
    if change.now < until:
        return await _locked(services, change, until)
    counted = await services.store.take_attempt(
        user,
        throttled(services, change.address),
        now=change.now,
        account=services.settings.account_throttle,
        limit=services.settings.address_throttle,
    )
    return counted if counted.allowed else await _locked(services, change, counted.locked_until)


async def _locked(services: Services, change: Change, until: float) -> Outcome:
    await write(services, change, "rejected", verdict="locked")
    return Outcome(kind="locked", locked_until=until)


async def prove(
    services: Services, change: Change, counted: Attempt, *, by: Sequence[str] | None = None
) -> Judged | Outcome:
    """``by``: the proofs that count here, those of ``current_proofs`` if left out."""
    pending = change.pending
    judged = await judge_answer(
        services,
        change.person.user,
        change.current_code,
        allowed=current_proofs(services) if by is None else by,
        now=change.now,
        signed=("change", pending.factor_id if pending is not None else ""),
    )
    if judged.method == "passkey" and not (pending and await claim(services, pending, change.now, use="proof")):
        judged = Judged(verdict="replayed", method="passkey")
    if judged.verdict == "right":
        return judged
    return await reject(services, change, judged, counted, field="current_code")


async def reject(
    services: Services,
    change: Change,
    judged: Judged,
    counted: Attempt,
    *,
    field: Literal["code", "current_code"],
) -> Outcome:
    records = [_record(services, change, "rejected", verdict=judged.verdict, field=field)]
    if judged.verdict == "replayed":
        records.append(duplicates.alert(services, change.person, change.address, challenge=None))
        await duplicates.remember(services, change.person, change.seen, change.now)
    if counted.locks:
        records.append(lock_begun(services, change.person, counted, change.seen))
    await services.journal.write(*records)
    budget = services.settings.account_throttle.failures
    return Outcome(
        kind="wrong" if judged.verdict == "right" else judged.verdict,
        field=field,
        attempts_left=0 if counted.locks else budget - counted.failures % budget,
        drift_s=judged.drift * totp.PERIOD_S,
    )


async def forgive(services: Services, change: Change, *, proof: str) -> None:
    """It has been proven: the count of failures begins anew. ``proof``: by what, "" for none."""
    await services.store.forgive(change.person.user, throttled(services, change.address))
    await tell_of_proof(services, change.person, proof, change.seen)


async def done(services: Services, change: Change, what: str, *, proof: str) -> None:
    """It has been made: as ``forgive``, and the owner is told."""
    await forgive(services, change, proof=proof)
    tell(services, "factor_changed", change.person.user, change=what, by="self", **change.seen)


async def write(services: Services, change: Change, phase: str, **detail: Any) -> None:
    await services.journal.write(_record(services, change, phase, **detail))


def _record(services: Services, change: Change, phase: str, **detail: Any) -> bytes:
    whole = {**detail, "by": "self", **shown_address(services, change.address)}
    whole["session_id"] = change.person.session or None
    return services.journal.notice("enrollment", phase, user=shown_user(services, change.person.user), detail=whole)
