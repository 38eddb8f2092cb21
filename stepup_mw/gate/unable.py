"""A proof is wanted of somebody who has no authenticator here by which it could be had."""

from __future__ import annotations

from ..errors import StoreLost
from ..messages import Pass, Response
from . import answers, replies
from .asserted import Wanted, provider_required
from .codes import is_enrolled
from .journal import proof
from .losses import is_missed
from .passing import let_through
from .services import Services
from .visit import Person, Visit, facts_of, new_flow


async def turn_away(
    services: Services, visit: Visit, person: Person, reason: str, wanted: Wanted | None
) -> Pass | Response:
    """Where a token is ``wanted``, the proof is its provider's to give; else as ``unenrolled``."""
    if wanted is None:
        return await unenrolled(services, visit, person)
    facts = facts_of(services, visit, new_flow(services, visit))
    line = services.journal.line(facts, "trigger", "required", reason=reason, detail=wanted.detail)
    await services.journal.write(line)
    return provider_required(services, visit, wanted, facts.flow_id)


async def unenrolled(services: Services, visit: Visit, person: Person) -> Pass | Response:
    """No authenticator: refused, shown where to enroll, or, while grace lasts, let through with a line that says so.
    Unavailable for who may have had one that the store lost."""
    settings, facts = services.settings.challenge, facts_of(services, visit, new_flow(services, visit))
    if await is_missed(services, person.user):
        http = {"status": 503, "duration_ms": None}
        why = visit.assessment.reason
        line = services.journal.line(facts, "access", "refused", reason=why, detail=StoreLost.code, http=http)
        await services.journal.refuse(line)
        return answers.unavailable(services, visit.request)
    graceful = settings.enroll == "grace" and visit.now < settings.grace_until
    if graceful and not await is_enrolled(services, person.user):  # another kind than the rule wants is one, too
        return await let_through(services, visit, facts, proof("report_mode"), would="challenge", detail="grace")
    line = services.journal.line(facts, "trigger", "not_enrolled", reason=visit.assessment.reason)
    await services.journal.refuse(line)
    return replies.not_enrolled(services, visit.request, person, visit.rule.factors)
