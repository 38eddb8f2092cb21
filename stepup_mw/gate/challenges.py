"""The life of a challenge: issued once, tried a bounded number of times, ended exactly once, also if nobody returns."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from types import MappingProxyType

import orjson

from ..encoding import b64url_encode
from ..errors import SealError, StoreUnavailable, TrailUnavailable
from ..policy import Rule
from ..state import Challenge, FactorKind
from .journal import proof
from .services import Services
from .shared import is_own
from .terms import pack_terms
from .trial import Trial, facts_of_challenge, outcome_line
from .visit import Person, Visit, facts_of, new_flow

KEEP_OPEN = 32
"""Open challenges of one user; a new one beyond ends the oldest as abandoned."""

GRACE_S = 30.0
"""A settled challenge without its line for this long has lost its writer: the line is written by another."""

FOSTERED_AFTER_S = 3600.0
"""A challenge of another service that has gone is told in our trail then, under that one's name."""

_SWEEP_LIMIT = 256

NOTHING: Mapping[str, str] = MappingProxyType({})

_log = logging.getLogger("stepup_mw")


async def issue(
    services: Services,
    visit: Visit,
    person: Person,
    *,
    reason: str,
    binding: str,
    browser: str,
    return_to: str,
    detail: str | None = None,
    note: Mapping[str, str] = NOTHING,
    kinds: Collection[FactorKind] | None = None,
) -> Challenge | None:
    """Open a challenge and put ``trigger/required`` and ``challenge/issued`` on record.

    ``browser``: the keyed hash of the browser that must answer, "" for any. ``return_to``: the target a browser
    goes back to, "" for none; it is sealed, for queries can hold secrets. ``detail``: of the trigger's line. ``note``:
    what became of the request that met the challenge, ``{"kept": digest}`` or ``{"unkept": reason}``. ``kinds``: None,
    and nothing is opened, for a person without an authenticator of one of these.
    """
    flow_id = new_flow(services, visit)
    challenge_id = b64url_encode(services.random(18))
    challenge = Challenge(
        challenge_id=challenge_id,
        user=person.user,
        session=person.session,
        browser=browser,
        rule=visit.rule.name,
        rule_version=visit.rule.version,
        binding=binding,
        flow_id=flow_id,
        reason=reason,
        facts=_facts(services, visit, note),
        created_at=visit.now,
        expires_at=visit.now + services.settings.challenge.ttl_s,
        return_to=services.keyring.seal("return_to", return_to.encode(), challenge_id) if return_to else b"",
    )
    evicted = await services.store.open_challenge(challenge, keep=KEEP_OPEN, kinds=kinds)
    if evicted is None:
        return None
    facts = facts_of(services, visit, flow_id)
    shown = proof(None, challenge_id=challenge_id)
    try:
        await services.journal.write(
            services.journal.line(facts, "trigger", "required", reason=reason, detail=detail),
            services.journal.line(facts, "challenge", "issued", reason=reason, proof=shown, detail=_told(note)),
        )
    except TrailUnavailable:
        await _withdraw(services, challenge, visit.now)
        raise
    for old in evicted:
        await log_outcome(services, old)
    return challenge


def kinds_for(rule: Rule) -> tuple[FactorKind, ...]:
    """The kinds of authenticators by which a proof for the rule can be had; a recovery code goes with any."""
    every: tuple[FactorKind, ...] = ("totp", "passkey")
    return tuple(kind for kind in every if kind in rule.factors or "recovery_code" in rule.factors)


def _facts(services: Services, visit: Visit, note: Mapping[str, str]) -> bytes:
    """What the challenge's later lines share, what became of the request, and how a proof is judged where code of the
    app asked for it."""
    terms = {"terms": pack_terms(visit.rule)} if visit.asked is not None else {}
    own = {"request_id": visit.request_id, "service": services.settings.service}
    return orjson.dumps({**visit.shared, **own, **note, **terms})


def _told(note: Mapping[str, str]) -> str | None:
    """``kept``, or ``unkept_elsewhere`` and the like, as the line has it."""
    return next((name if name == "kept" else f"{name}_{why}" for name, why in note.items()), None)


async def _withdraw(services: Services, challenge: Challenge, now: float) -> None:
    """A challenge that was never put on record is never shown either, and has no outcome to log."""
    if await services.store.settle_challenge(challenge.challenge_id, "error", now=now):
        await services.store.mark_logged(challenge.challenge_id)


async def conclude(services: Services, trial: Trial) -> None:
    """Write the lines of a trial that gives nothing, before anyone acts on it. A store that cannot note now that the
    outcome is on record changes nothing of what has been decided."""
    if trial.records:
        await services.journal.write(*trial.records)
    if trial.settled:
        try:
            await services.store.mark_logged(trial.challenge.challenge_id)
        except StoreUnavailable as error:
            _log.warning("the store does not know yet that an outcome is on record: %s", error)


async def cancel(services: Services, challenge: Challenge, now: float) -> bool:
    """End an open challenge by the person's wish: outcome ``denied``. False if it had ended before."""
    if now >= challenge.expires_at:
        return False
    if not await services.store.settle_challenge(challenge.challenge_id, "denied", now=now):
        return False
    await log_outcome(services, challenge, state="denied")
    return True


async def sweep(services: Services) -> int:
    """Give every challenge that nobody came back to its outcome line; how many. Those of another service that shares
    the store are its own to tell, unless it has not for an hour."""
    now = services.clock()
    due = await services.store.due_challenges(now=now, grace_s=GRACE_S, limit=_SWEEP_LIMIT)
    ours = [item for item in due if is_own(services, item) or now - item.expires_at > FOSTERED_AFTER_S]
    for challenge in ours:
        await log_outcome(services, challenge)
    return len(ours)


async def log_outcome(services: Services, challenge: Challenge, *, state: str | None = None) -> None:
    """The one outcome line of a settled challenge. Where it cannot be written now, a later sweep writes it."""
    facts = facts_of_challenge(services, challenge, None)
    shown = proof(None, challenge_id=challenge.challenge_id, attempt=challenge.attempts)
    status = state or challenge.state
    try:
        await services.journal.write(outcome_line(services, challenge, facts, status, shown))
        await services.store.mark_logged(challenge.challenge_id)
    except (TrailUnavailable, StoreUnavailable) as error:
        _log.warning("outcome of a challenge not recorded yet: %s", error)


def is_good(services: Services, challenge: Challenge, rule: Rule, person: Person) -> bool:
    """Whether a challenge that is open for this person may be answered for this rule, here, in this browser."""
    same = challenge.rule_version == rule.version and challenge.browser in ("", person.device)
    return same and is_own(services, challenge)


def returns(challenge: Challenge) -> bool:
    """Whether the browser can simply be sent back to what it asked for: it was a GET."""
    return bool(orjson.loads(challenge.facts)["action"]["method"] == "GET")


def where_to(services: Services, challenge: Challenge) -> str:
    """The path on this origin that the browser came from, or "" for none."""
    if not challenge.return_to:
        return ""
    try:
        return services.keyring.unseal("return_to", challenge.return_to, challenge.challenge_id).decode("ascii")
    except (SealError, UnicodeDecodeError):
        return ""
