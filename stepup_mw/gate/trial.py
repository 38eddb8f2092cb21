"""A code against a challenge: count, compare, consume, settle; and the lines that say so.

The order is the safety: the attempt is counted before the code is looked at, a code is used up whether or not there is
a challenge left for it to settle, and the outcome is on record before anything is given for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from .. import totp
from ..encoding import format_uuid7
from ..events import Facts
from ..messages import Request
from ..policy import Rule
from ..state import Attempt, Challenge, Guess
from . import duplicates, passkeys, unlocking
from .codes import Judged, Trying
from .journal import proof
from .services import Services
from .told import lock_begun, seen_from
from .visit import Person, shown_user
from .whereabouts import Whereabouts, origin_of, throttled

Kind = Literal["approved", "wrong", "replayed", "skewed", "locked", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """``records`` are the audit lines of the trial, not written yet. ``method`` is the proof that succeeded.

    settled: this trial has ended the challenge, and ``records`` hold its outcome. locked_until: Unix seconds, also of a
    lock that this very code began.
    drift_s: how far off the authenticator's clock is, where kind is ``skewed``. epoch: the user's, before the code was
    looked at; what is given for it lives in this one.
    """

    kind: Kind
    challenge: Challenge
    facts: Facts
    records: tuple[bytes, ...] = ()
    settled: bool = False
    method: str = ""
    attempt: int = 0
    attempts_left: int = 0
    locked_until: float = 0.0
    drift_s: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempting:
    """One try: whose, from where, at which challenge, under which rule; ``code`` as sent, or a passkey's answer."""

    request: Request
    person: Person
    where: Whereabouts
    challenge: Challenge
    rule: Rule
    code: str | Mapping[str, Any]
    now: float
    request_id: str


async def try_code(services: Services, attempting: Attempting) -> Trial:
    """Judge one code. The caller writes ``records`` before it acts on the verdict; what follows is ``rewards``'."""
    challenge, now = attempting.challenge, attempting.now
    facts = facts_of_challenge(services, challenge, attempting)
    if challenge.state != "open" or now >= challenge.expires_at:
        _, until = await services.store.failures(attempting.person.user)
        if now < until:
            return _locked(services, challenge, facts, until)
        return Trial(kind="gone", challenge=challenge, facts=facts)
    guess = Guess(
        challenge_id=challenge.challenge_id,
        user=attempting.person.user,
        address=throttled(services, attempting.where.address),
        now=now,
        attempts=services.settings.challenge.attempts,
        account=services.settings.account_throttle,
        limit=services.settings.address_throttle,
    )
    tried = await services.store.try_challenge(guess)
    if not tried.attempt.allowed:
        return await _refused(services, attempting, facts, tried.attempt)
    if tried.number is None:
        return Trial(kind="gone", challenge=challenge, facts=facts)
    judged = await passkeys.judge_answer(
        services,
        attempting.person.user,
        attempting.code,
        allowed=attempting.rule.factors,
        now=now,
        signed=("challenge", challenge.challenge_id),
        trying=Trying(challenge.challenge_id, tried.factors),
    )
    if judged.verdict == "right":
        return await _approve(services, attempting, facts, judged, tried.number, tried.epoch)
    return await _reject(services, attempting, facts, judged.verdict, tried.number, tried.attempt, judged.drift)


async def _approve(
    services: Services, attempting: Attempting, facts: Facts, judged: Judged, number: int, epoch: int
) -> Trial:
    """The code has been used up, whatever became of its challenge meanwhile."""
    challenge, method = attempting.challenge, judged.method
    settled = judged.settled or (
        method != "totp"  # whose challenge is settled in the same step
        and await services.store.settle_challenge(challenge.challenge_id, "approved", now=attempting.now)
    )
    if not settled:
        return Trial(kind="gone", challenge=challenge, facts=facts)
    shown = proof(None, method=method, challenge_id=challenge.challenge_id, attempt=number)
    which = f"authenticator:{judged.factor_id}" if judged.factor_id else None
    record = outcome_line(services, challenge, facts, "approved", shown, detail=which)
    return Trial(
        kind="approved",
        challenge=challenge,
        facts=facts,
        records=(record,),
        settled=True,
        method=method,
        attempt=number,
        epoch=epoch,
    )


async def _reject(
    services: Services,
    attempting: Attempting,
    facts: Facts,
    verdict: Literal["wrong", "replayed", "skewed"],
    number: int,
    counted: Attempt,
    drift: int,
) -> Trial:
    challenge, limit = attempting.challenge, services.settings.challenge.attempts
    shown = proof(None, challenge_id=challenge.challenge_id, attempt=number)
    status = "replayed" if verdict == "replayed" else "rejected"
    detail = "clock_skew" if verdict == "skewed" else None
    records = [services.journal.line(facts, "challenge", status, reason=challenge.reason, proof=shown, detail=detail)]
    seen = seen_from(attempting.where.address, attempting.request)
    if verdict == "replayed":
        records.append(duplicates.alert(services, attempting.person, attempting.where.address, challenge=challenge))
        await duplicates.remember(services, attempting.person, seen, attempting.now)
    if counted.locks:
        records.append(lock_begun(services, attempting.person, counted, seen))
    settled = (
        number >= limit
        and verdict != "replayed"  # the same code may just now be winning this challenge from another request
        and await services.store.settle_challenge(challenge.challenge_id, "locked", now=attempting.now)
    )
    if settled:
        records.append(outcome_line(services, challenge, facts, "locked", shown))
    budget = services.settings.account_throttle.failures
    left = 0 if counted.locks else min(limit - number, budget - counted.failures % budget)
    return Trial(
        kind=verdict,
        challenge=challenge,
        facts=facts,
        records=tuple(records),
        settled=settled,
        attempt=number,
        attempts_left=left,
        locked_until=counted.locked_until if counted.locks else 0.0,
        drift_s=drift * totp.PERIOD_S,
    )


async def _refused(services: Services, attempting: Attempting, facts: Facts, counted: Attempt) -> Trial:
    """No attempt may be made now. Asked only here: whether it is the account that is locked, or the address is full."""
    _, until = await services.store.failures(attempting.person.user)
    if attempting.now < until:
        return await _while_locked(services, attempting, facts, until)
    return _locked(services, attempting.challenge, facts, counted.locked_until)


async def _while_locked(services: Services, attempting: Attempting, facts: Facts, until: float) -> Trial:
    """The answer of a locked account to a code for an open challenge, whatever the code is; what it counts for is
    ``unlocking``'s to say."""
    trial = _locked(services, attempting.challenge, facts, until)
    user, now = attempting.person.user, attempting.now
    if "totp" not in attempting.rule.factors or not isinstance(attempting.code, str):
        return trial
    unlocked = await unlocking.look(services, user, attempting.code, now=now, locked_until=until)
    if unlocked is None:
        return trial
    await services.journal.write(*trial.records, unlocked)
    await unlocking.release(services, user)
    return replace(trial, records=())


def _locked(services: Services, challenge: Challenge, facts: Facts, until: float) -> Trial:
    shown = proof(None, challenge_id=challenge.challenge_id)
    record = services.journal.line(facts, "challenge", "locked", reason=challenge.reason, proof=shown)
    return Trial(kind="locked", challenge=challenge, facts=facts, records=(record,), locked_until=until)


def outcome_line(
    services: Services,
    challenge: Challenge,
    facts: Facts,
    status: str,
    shown: Mapping[str, Any],
    *,
    detail: str | None = None,
) -> bytes:
    """The one outcome of a challenge. Its ``event_id`` hangs on the challenge, not on who writes it: a line that had
    to be written again, since nobody could say whether it had been, is known for the same."""
    digest = hashlib.sha256(b"stepup_mw/v1/outcome\0" + challenge.challenge_id.encode()).digest()
    return services.journal.line(
        facts,
        "outcome",
        status,
        reason=challenge.reason,
        proof=shown,
        detail=detail,
        event_id=format_uuid7(challenge.created_at, digest[:10]),
    )


def facts_of_challenge(services: Services, challenge: Challenge, attempting: Attempting | None) -> Facts:
    """The shared part of a challenge's later lines: the action and risk that raised it, the origin of this try."""
    shared: dict[str, Any] = orjson.loads(challenge.facts)
    request_id, service = shared.pop("request_id"), shared.pop("service", services.settings.service)
    for own in ("terms", "kept", "unkept"):
        shared.pop(own, None)
    facts = Facts(
        user_id=shown_user(services, challenge.user),
        session_id=challenge.session or None,
        flow_id=challenge.flow_id,
        request_id=request_id,
        service=service,
        **shared,
    )
    if attempting is None:
        return facts
    known = bool((shared["origin"] or {}).get("device_known"))
    origin = origin_of(services, attempting.request, attempting.where, attempting.person.device, known)
    return facts._replace(request_id=attempting.request_id, origin=origin)
