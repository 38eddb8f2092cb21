"""A proof that code of the app asks for, while a request is inside it: the same decision as at the door.

The request's own proof is enough where it is fresh enough; else the grants and the code that came with the request are
looked at; else the person is asked. What lets the app go on is on record before it does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from ..demands import Demand
from ..errors import BadDemand
from ..messages import Pass, Request, Response
from ..policy import Match, Rule
from ..risk import Assessment, assess, demanded
from ..state import Challenge
from . import admission
from .grants import CLOCK_LEEWAY_S, find_grant
from .passing import Admitted, accept
from .services import Services
from .terms import Asked, app_rule, bind_demand
from .visit import Visit, action_of, approach, survey


async def answer(services: Services, request: Request, demand: Demand, before: Pass) -> Pass | Response:
    """``before``: what the request has been let through by so far. A Pass lets the app go on."""
    services.journal.check_window()
    earlier = before.admitted if isinstance(before.admitted, Admitted) else None
    visit = await _visit(services, request, demand, earlier)
    if visit.assessment.verdict == "challenge":
        for known in (earlier, earlier.resumed) if earlier is not None else ():
            if known is not None and _suffices(known, visit):
                return _resumed(await accept(services, visit, known), earlier)
    return _resumed(await admission.admit(services, visit), earlier)


def _resumed(decision: Pass | Response, earlier: Admitted | None) -> Pass | Response:
    """With the proof by which the request was resumed: it holds to the end of it, whatever other proofs are found."""
    known = (earlier.resumed or earlier) if earlier is not None else None
    if known is None or known.shown["basis"] != "resume" or not isinstance(decision, Pass):
        return decision
    found = decision.admitted
    return decision._replace(admitted=found._replace(resumed=known)) if isinstance(found, Admitted) else decision


async def _visit(services: Services, request: Request, demand: Demand, earlier: Admitted | None) -> Visit:
    """The request as it stands, judged by what is asked for."""
    own = (earlier.own if earlier is not None else None) or _app_rule(services, request, demand)
    base = own if demand.rule is None else _named(services, demand.rule)
    if earlier is not None:
        visit = earlier.visit._replace(now=services.clock(), request=request, tokens=None)  # looked at anew
    else:
        visit = await approach(services, request, Match(rule=base, path=request.path, params={}))
    mode = base.mode if demand.rule is not None else "enforce"
    rule = replace(base, mode=mode, max_age_s=demand.max_age_s or base.max_age_s, grant=demand.grant or base.grant)
    assessment = _assess(services, visit.assessment, base, demand)
    binding = bind_demand(services, request, demand, rule.grant)
    asked = Asked(binding, reached=earlier is not None, own=own)
    shared = {**visit.shared, "action": _action(rule, visit.request, demand), "risk": assessment.as_line()}
    shared["policy"] = {**visit.shared["policy"], "mode": mode}
    return visit._replace(rule=rule, assessment=assessment, shared=shared, asked=asked)


def _app_rule(services: Services, request: Request, demand: Demand) -> Rule:
    rule, jwt = app_rule(request, demand), services.settings.identity.jwt
    return rule if jwt is None else replace(rule, acr=jwt.acr, amr=jwt.amr)


def _named(services: Services, name: str) -> Rule:
    found = services.policy.rule(name)
    if found is None:
        raise BadDemand(f"rule: found {name!r}; there is no route of that name in the configuration")
    return found


def _assess(services: Services, found: Assessment, base: Rule, demand: Demand) -> Assessment:
    points = {name: value for name, value in found.signals.items() if name != "route"}
    if demand.points:
        points["app"] = points.get("app", 0) + demand.points
    judged = assess(base, points, services.settings.risk, found.failed)
    return judged if demand.rule is not None and judged.verdict == "allow" else demanded(judged)


def _action(rule: Rule, request: Request, demand: Demand) -> dict[str, Any]:
    told = {"reason": demand.reason, **({"fields": dict(demand.fields)} if demand.fields else {})}
    return action_of(rule, request) | told


def _suffices(earlier: Admitted, visit: Visit) -> bool:
    """Whether the proof by which the request came this far is what is asked for now."""
    rule, proved_at = visit.rule, earlier.proved_at
    if proved_at is None or not -CLOCK_LEEWAY_S <= visit.now - proved_at < rule.max_age_s:
        return False
    if earlier.shown["method"] not in rule.factors:  # an access token has none of them, and is judged anew
        return False
    resumed = earlier.shown["basis"] == "resume"
    if earlier.shown["basis"] == "inline" or (resumed and earlier.visit.asked is None):
        return True  # given for this very request
    if resumed and earlier.visit.rule.name != visit.rule.name:
        return False  # the person has confirmed what was asked for then
    return _covers(earlier, visit)


def _covers(earlier: Admitted, visit: Visit) -> bool:
    """Whether a grant reaches what is asked for: one of the door does, one that was asked for with fields only the
    same fields. Where each request wants its own, only one of that kind."""
    covered = earlier.visit.asked.binding if earlier.visit.asked is not None else None
    wanted = visit.asked.binding if visit.asked is not None else ""
    if visit.rule.grant == "request":
        return earlier.visit.rule.grant == "request" and covered in (None, wanted)
    return covered in (None, "", wanted)


async def once_more(
    services: Services, request: Request, challenge: Challenge, rule: Rule, match: Match | None, method: str
) -> Visit | None:
    """A kept request that goes to the app again, where code of the app has asked for the proof: it asks once more, and
    finds the proof for what it had asked then. ``match``: the rule that the request itself meets; None where that one
    does not let it through."""
    visit = await survey(services, request, match or Match(rule=rule, path=request.path, params={}), record=False)
    if match is not None and not await _opens(services, visit, method):
        return None
    facts = orjson.loads(challenge.facts)
    return visit._replace(
        rule=rule,
        assessment=visit.assessment._replace(reason="app_required"),
        shared={**visit.shared, "action": facts["action"], "policy": {**visit.shared["policy"], "mode": "enforce"}},
        asked=Asked(challenge.binding, reached=False, own=match.rule if match is not None else None),
    )


async def _opens(services: Services, visit: Visit, method: str) -> bool:
    """Whether the door lets the request through, by the proof that was just given or by one of before."""
    rule = visit.rule
    if rule.mode == "report" or visit.assessment.verdict == "allow" or method in rule.factors:
        return True
    return visit.person is not None and (await find_grant(services, visit, visit.person, "")).grant is not None
