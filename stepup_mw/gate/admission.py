"""The decision about one sensitive request: let it through, ask for a proof, or refuse. Writes the line first.

Every way through to the app ends in ``passing.let_through``, which has the ``access/allowed`` line on stable storage
before it gives a Pass.
"""

from __future__ import annotations

from ..assertion import Judged
from ..errors import BodyTooLarge
from ..messages import Headers, Pass, Request, Response
from ..pages import say
from ..state import Grant
from . import answers, challenges, form_tokens, grants, kept, replies, rewards, unable
from .asserted import Wanted, judge_token, make_known, want
from .codes import prepare
from .cookies import device_cookie, new_device, read_device
from .form_tokens import FormToken
from .journal import proof
from .passing import let_through
from .services import Services
from .trial import Attempting, try_code
from .visit import Person, Visit, facts_of, look, new_flow

Decision = Pass | Response


async def admit(services: Services, visit: Visit) -> Decision:
    """Decide about a request that a rule matches."""
    if visit.rule.mode == "report":
        return await _report(services, visit)
    if visit.person is None:
        return await _anonymous(services, visit)
    if visit.assessment.verdict == "deny":
        return await _deny(services, await look(services, visit))
    if visit.assessment.verdict == "allow":
        return await _allow(services, await look(services, visit))
    return await _demand_proof(services, visit, visit.person)


async def _report(services: Services, visit: Visit) -> Decision:
    """``mode = "report"``: say what would have happened, and let it through."""
    verdict = "challenge" if visit.person is None else visit.assessment.verdict
    judged = judge_token(visit, visit.person) if verdict == "challenge" else None
    if visit.person is not None and judged is not None and not judged.lack:
        return await _by_token(services, await look(services, visit), visit.person, judged)
    if verdict == "challenge" and visit.person is not None and visit.rule.grant != "request":
        search = await grants.find_grant(services, visit, visit.person, "")
        visit = search.visit
        if search.grant is not None:
            return await _by_grant(services, visit, search.grant)
    visit = await look(services, visit)
    basis, would = ("below_threshold", None) if verdict == "allow" else ("report_mode", verdict)
    facts = facts_of(services, visit, new_flow(services, visit))
    return await let_through(services, visit, facts, proof(basis), would=would)


async def _anonymous(services: Services, visit: Visit) -> Response:
    facts = facts_of(services, visit, new_flow(services, visit))
    await services.journal.refuse(services.journal.line(facts, "trigger", "anonymous", reason=visit.assessment.reason))
    return replies.login_required(services, visit.request)


async def _deny(services: Services, visit: Visit) -> Response:
    facts = facts_of(services, visit, new_flow(services, visit))
    await services.journal.refuse(services.journal.line(facts, "trigger", "denied", reason="risk_denied"))
    return answers.refusal(services, visit.request, "denied", 403, say("refused.denied"), flow_id=facts.flow_id)


async def _allow(services: Services, visit: Visit) -> Decision:
    facts = facts_of(services, visit, new_flow(services, visit))
    return await let_through(services, visit, facts, proof("below_threshold"))


async def _demand_proof(services: Services, visit: Visit, person: Person) -> Decision:
    code = visit.request.header(b"step-up-code")
    try:
        binding = await _binding(services, visit)
    except BodyTooLarge as error:
        if code is None:
            return await refuse_large(services, await look(services, visit), error)
        binding = ""
    if code is not None:
        return await _inline(services, await look(services, visit), person, binding, code.decode("latin-1"))
    judged = judge_token(visit, person)
    if judged is not None and not judged.lack:
        return await _by_token(services, await look(services, visit), person, judged)
    search = await grants.find_grant(services, visit, person, binding)
    visit = search.visit
    if search.grant is not None:
        return await _by_grant(services, visit, search.grant)
    carried = await form_tokens.take(services, visit, person)
    if carried is not None:
        return await _by_form(services, visit, carried)
    if search.forged or search.foreign:
        facts = facts_of(services, visit, new_flow(services, visit))
        detail = "forged_grant" if search.forged else "foreign_grant"
        await services.journal.refuse(
            services.journal.line(facts, "access", "refused", reason=visit.assessment.reason, detail=detail)
        )
    wanted = await want(services, visit, person, judged)
    stale = search.stale and visit.asked is None
    return await _ask(services, visit, person, binding, "stale_grant" if stale else visit.assessment.reason, wanted)


async def _binding(services: Services, visit: Visit) -> str:
    if visit.asked is not None:
        return visit.asked.binding
    return await grants.bind_request(services, visit.request) if visit.rule.grant == "request" else ""


async def refuse_large(services: Services, visit: Visit, error: BodyTooLarge) -> Response:
    """A proof for this very request needs the whole of it, and it is over the cap."""
    facts = facts_of(services, visit, new_flow(services, visit))
    await services.journal.refuse(
        services.journal.line(facts, "access", "refused", reason=visit.assessment.reason, detail="body_too_large")
    )
    request = visit.request
    text = say("refused.too_large_form" if answers.is_navigation(request) else "refused.too_large", limit=error.limit)
    return answers.refusal(services, request, "bad-request", 413, text, back=answers.target_of(request))


async def _by_grant(services: Services, visit: Visit, grant: Grant) -> Decision:
    facts = facts_of(services, visit, grant.flow_id)
    age_s = max(0, int(visit.now - grant.proved_at))
    shown = proof("grant", method=grant.method, challenge_id=grant.challenge_id, age_s=age_s)
    used_up: tuple[bytes, ...] = ()
    if grant.uses_left is not None:
        detail = {"flow_id": grant.flow_id, "route": grant.rule, "challenge_id": grant.challenge_id}
        used_up = (services.journal.notice("grant", "used_up", user=facts.user_id, detail=detail),)
    return await let_through(services, visit, facts, shown, proved_at=grant.proved_at, before=used_up, grant=grant)


async def _by_form(services: Services, visit: Visit, token: FormToken) -> Decision:
    """The form was shown while a proof was fresh, and is sent now."""
    facts = facts_of(services, visit, token.flow_id)
    age_s = max(0, int(visit.now - token.proved_at))
    shown = proof("grant", method=token.proof, challenge_id=token.challenge_id, age_s=age_s)
    return await let_through(services, visit, facts, shown, detail="form_token", proved_at=token.proved_at)


async def _by_token(services: Services, visit: Visit, person: Person, judged: Judged) -> Decision:
    """The provider has proved enough, and recently: the access token itself is the proof."""
    facts = facts_of(services, visit, new_flow(services, visit))
    shown = proof("token", method=judged.method, age_s=judged.age_s)
    passed = await let_through(services, visit, facts, shown, proved_at=judged.proved_at)
    await make_known(services, visit, person, judged)
    return passed


async def _ask(
    services: Services, visit: Visit, person: Person, binding: str, reason: str, wanted: Wanted | None
) -> Decision:
    """Issue a challenge: 401 for an API client, 303 to the page for a browser; or say that no factor is there. What is
    ``wanted`` of a token is said beside it.

    Whether a factor is there is asked in the step that opens the challenge; before it where the app has authenticators
    of its own, for what keeps their steps has to be there by then."""
    own = services.secrets is not None
    if own and not await prepare(services, person.user, visit.now, allowed=visit.rule.factors):
        return await unable.turn_away(services, visit, person, reason, wanted)
    request, navigation = visit.request, answers.is_navigation(visit.request)
    device, headers = _device_of(services, request)
    captured, hashed = await kept.capture(services, visit), services.keyring.digest("device", device)
    challenge = await challenges.issue(
        services,
        visit,
        person,
        reason=reason,
        binding=binding,
        browser=hashed if navigation else "",
        return_to=answers.target_of(request) if navigation else "",
        detail=wanted.detail if wanted is not None else None,
        note=kept.note_of(captured),
        kinds=None if own else challenges.kinds_for(visit.rule),
    )
    if challenge is None:
        return await unable.turn_away(services, visit, person, reason, wanted)
    if captured.digest:
        await kept.keep(services, challenge, hashed, captured)
    if navigation:
        return answers.redirect(
            answers.endpoint(services, request, f"challenges/{challenge.challenge_id}"), headers=headers
        )
    return replies.challenge_required(services, visit, challenge, headers, wanted)


def _device_of(services: Services, request: Request) -> tuple[str, Headers]:
    """The browser's id, a fresh one with its cookie for one not seen before."""
    device = read_device(services, request)
    if device:
        return device, answers.NO_HEADERS
    device = new_device(services)
    return device, (device_cookie(services, device),)


async def _inline(services: Services, visit: Visit, person: Person, binding: str, code: str) -> Decision:
    """The code came with the request: one round trip, and it opens this request only."""
    rule, own = visit.rule, services.secrets is not None
    challenge = await services.store.latest_challenge(person.user, person.session, rule.name, binding, now=visit.now)
    if challenge is not None and not challenges.is_good(services, challenge, rule, person):
        challenge = None
    if (challenge is not None or own) and not await prepare(services, person.user, visit.now, allowed=rule.factors):
        return await unable.unenrolled(services, visit, person)
    if challenge is None:
        challenge = await challenges.issue(
            services,
            visit,
            person,
            reason=visit.assessment.reason,
            binding=binding,
            browser="",
            return_to="",
            kinds=None if own else challenges.kinds_for(rule),
        )
    if challenge is None:
        return await unable.unenrolled(services, visit, person)
    attempting = Attempting(
        request=visit.request,
        person=person,
        where=visit.where,
        challenge=challenge,
        rule=rule,
        code=code,
        now=visit.now,
        request_id=visit.request_id,
    )
    trial = await try_code(services, attempting)
    if trial.kind != "approved":
        await challenges.conclude(services, trial)
        return replies.rejected(services, visit.request, trial)
    shown = proof("inline", method=trial.method, challenge_id=challenge.challenge_id, attempt=trial.attempt, age_s=0)
    facts = facts_of(services, visit, challenge.flow_id)
    passed = await let_through(services, visit, facts, shown, proved_at=visit.now, before=trial.records)
    await rewards.note(services, attempting, trial)
    return passed
