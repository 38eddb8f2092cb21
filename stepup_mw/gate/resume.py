"""After the code: what was kept reaches the app, once, with its own line. Or it does not, with a line that says so.

The person has seen on the page what will run and has sent the code with it. Whose session it is, the rule and the
risk are judged anew, as of now.
"""

from __future__ import annotations

from typing import Literal

from ..messages import Headers, Pass, Request, Response
from ..pages import say
from ..policy import Match
from ..state import Challenge
from . import answers, kept
from .demanded import once_more
from .journal import proof
from .matching import find_rule
from .passing import let_through
from .replay import in_place_of
from .services import Services
from .terms import is_asked
from .trial import Attempting, Trial, facts_of_challenge
from .visit import Person, Visit, facts_of, shown_user, survey

Refused = Literal["resume_gone", "resume_foreign", "resume_changed", "resume_unseen", "resume_denied"]
"""The ``detail`` of the line: it was taken before or is past its end; it is another browser's, or not what was kept;
its rule holds no more; the page was not on the screen; the risk is too high now."""


async def run(
    services: Services, attempting: Attempting, trial: Trial, waiting: kept.Waiting, *, seen: str, headers: Headers
) -> Pass | Response:
    """Let what was kept, and has been taken, through to the app, or say why not. ``seen``: the digest that the page's
    form carries, "" for none; ``headers`` go with the app's answer."""
    challenge, request = trial.challenge, attempting.request
    if waiting.message is None:
        return await _refuse(services, attempting, f"resume_{waiting.trouble}", headers)
    if not answers.is_same_origin(request) or seen not in ("", kept.digest_of(challenge)):
        return await _refuse(services, attempting, "resume_unseen", headers)
    resumed = in_place_of(request, waiting.message)
    match = find_rule(services.policy, resumed)
    holds = is_asked(challenge) or (match is not None and match.rule is attempting.rule)
    if not holds or resumed.root_path != waiting.message.root_path:
        return await _refuse(services, attempting, "resume_changed", headers)
    visit = await _visit(services, attempting, trial, resumed, match)
    if visit is None or visit.person != attempting.person or visit.assessment.verdict == "deny":
        return await _refuse(services, attempting, "resume_denied", headers)
    shown = proof("resume", method=trial.method, challenge_id=challenge.challenge_id, attempt=trial.attempt, age_s=0)
    facts = facts_of(services, visit, challenge.flow_id)
    passed = await let_through(services, visit, facts, shown, proved_at=attempting.now)
    return passed._replace(instead=resumed, headers=headers)


async def _visit(
    services: Services, attempting: Attempting, trial: Trial, resumed: Request, match: Match | None
) -> Visit | None:
    """What was kept, judged as of now; None where its own rule does not let it through."""
    if is_asked(trial.challenge):
        return await once_more(services, resumed, trial.challenge, attempting.rule, match, trial.method)
    return await survey(services, resumed, match, record=False) if match is not None else None


async def _refuse(services: Services, attempting: Attempting, why: str, headers: Headers) -> Response:
    """The code was right, and its grant holds; but nothing is run."""
    await refuse_line(services, attempting, why)
    return answers.notice(
        services,
        attempting.request,
        say("confirmed.title"),
        say("resume.refused"),
        status=409,
        headers=headers,
    )


async def refuse_line(services: Services, attempting: Attempting, why: str) -> None:
    """``access/refused``, by whom and from where it was tried."""
    challenge = attempting.challenge
    person = attempting.person
    facts = facts_of_challenge(services, challenge, attempting)
    facts = facts._replace(user_id=shown_user(services, person.user), session_id=person.session or None)
    shown = proof(None, challenge_id=challenge.challenge_id)
    await services.journal.refuse(
        services.journal.line(facts, "access", "refused", reason=challenge.reason, proof=shown, detail=why)
    )


async def drop(services: Services, challenge: Challenge, person: Person) -> None:
    """Whoever cancels does not want it sent."""
    if kept.digest_of(challenge):
        await services.store.take_request(person.user, challenge.challenge_id, now=services.clock())
