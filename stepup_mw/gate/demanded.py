"""A proof that code of the app asks for, while a request is inside it: the same decision as at the door.

The request's own proof is enough where it is fresh enough; else the grants and the code that came with the request are
looked at; else the person is asked. What lets the app go on is on record before it does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..demands import Demand
from ..errors import BadDemand
from ..messages import Pass, Request, Response
from ..policy import Match, Rule
from ..risk import Assessment, assess, demanded
from . import admission
from .grants import CLOCK_LEEWAY_S
from .passing import Admitted, accept
from .services import Services
from .terms import Asked, app_rule, bind_demand
from .visit import Visit, action_of, survey


async def answer(services: Services, request: Request, demand: Demand, before: Pass) -> Pass | Response:
    """``before``: what the request has been let through by so far. A Pass lets the app go on."""
    services.journal.check_window()
    earlier = before.admitted if isinstance(before.admitted, Admitted) else None
    visit = await _visit(services, request, demand, earlier)
    if earlier is not None and visit.assessment.verdict == "challenge" and _suffices(earlier, visit):
        return await accept(services, visit, earlier)
    return await admission.admit(services, visit)


async def _visit(services: Services, request: Request, demand: Demand, earlier: Admitted | None) -> Visit:
    """The request as it stands, judged by what is asked for."""
    own = _app_rule(services, request, demand) if earlier is None else earlier.own
    base = own if demand.rule is None else _named(services, demand.rule)
    if earlier is not None:
        visit = earlier.visit._replace(now=services.clock())
    else:
        visit = await survey(services, request, Match(rule=base, path=request.path, params={}))
    mode = base.mode if demand.rule is not None else "enforce"
    rule = replace(base, mode=mode, max_age_s=demand.max_age_s or base.max_age_s, grant=demand.grant or base.grant)
    assessment = _assess(services, visit.assessment, base, demand)
    binding = bind_demand(services, request, demand, rule.grant)
    asked = Asked(demand, binding, reached=earlier is not None, own=own)
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
    return earlier.shown["basis"] in ("inline", "resume") or _covers(earlier, visit)  # given for this very request


def _covers(earlier: Admitted, visit: Visit) -> bool:
    """Whether a grant reaches what is asked for: one of the door does, one that was asked for with fields only the
    same fields. Where each request wants its own, only one of that kind."""
    covered = earlier.visit.asked.binding if earlier.visit.asked is not None else None
    wanted = visit.asked.binding if visit.asked is not None else ""
    if visit.rule.grant == "request":
        return earlier.visit.rule.grant == "request" and covered in (None, wanted)
    return covered in (None, "", wanted)
