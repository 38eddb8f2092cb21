"""One sensitive request as the gate understands it: who, what, from where, and how risky.

Gathers and never decides; what it gathers is the same whether the request is live or only explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from ..assertion import Assertion
from ..encoding import safe_text
from ..events import Facts
from ..identity import Identity, checked
from ..messages import Request
from ..policy import Match, Rule
from ..risk import Assessment, assess
from ..signals import Finding
from ..trace_context import parse_traceparent, parse_tracestate
from .carried import Tokens, tokens_of
from .cookies import read_device
from .flows import Upstream, upstream_of
from .scoring import NOTHING_FOUND, make_subject, measure, read_body
from .services import Services
from .terms import Asked
from .whereabouts import Whereabouts, locate, origin_of


class Person(NamedTuple):
    """Who asks, and with what: also at the gate's own endpoints, where there is no rule.

    ``session`` and ``device`` are keyed hashes, "" for none. ``assertion``: what their access token says, if there is
    one.
    """

    user: str
    session: str
    device: str
    assertion: Assertion | None = None


class Visit(NamedTuple):
    """A named tuple, for one is made for every sensitive request. ``person`` is None for an anonymous one; ``shared``
    is the part of the line that does not depend on the flow: action, origin, risk, policy, trace. ``asked``: code of
    the app wants a proof. ``flow_id``: the flow that a service before this one has handed on, "" for none.

    ``known``: the person has proved themself with this device before; None as long as the store was not asked.
    ``tokens``: of grants, None where they were not opened yet."""

    request: Request
    rule: Rule
    path: str
    person: Person | None
    where: Whereabouts
    findings: Mapping[str, Finding]
    assessment: Assessment
    now: float
    request_id: str
    shared: dict[str, Any]
    asked: Asked | None = None
    flow_id: str = ""
    known: bool | None = None
    tokens: Tokens | None = None


async def identify(services: Services, request: Request) -> Person | None:
    """The person by the configured provider, or None. AmbiguousRequest or Unavailable on doubt."""
    found = services.identify(request)
    identity = checked(found if found is None or isinstance(found, Identity) else await found)
    return _person(services, request, identity) if identity is not None else None


def _person(services: Services, request: Request, identity: Identity) -> Person:
    device = read_device(services, request)
    return Person(
        user=identity.user,
        session=services.keyring.digest("session", identity.session) if identity.session is not None else "",
        device=services.keyring.digest("device", device) if device else "",
        assertion=identity.assertion,
    )


async def survey(services: Services, request: Request, match: Match, *, record: bool = True) -> Visit:
    """Gather everything about a request that a rule matches. ``record = False`` counts nothing (explain)."""
    return await look(services, await approach(services, request, match, record=record), grants=True)


async def approach(services: Services, request: Request, match: Match, *, record: bool = True) -> Visit:
    """As ``survey``; but whether the device is known, and what stands behind the tokens, is asked of the store only
    where signals want to know the first. Whoever goes on asks for both in one step, or takes a use in it."""
    now = services.clock()
    person = await identify(services, request)
    where = locate(services, request)
    known, tokens, findings = (None if person is not None and person.device else False), None, NOTHING_FOUND
    if person is not None and services.signals:
        body = await read_body(services, request)  # first: who sends it slowly is not to be judged by what was before
        if known is None:
            known, tokens = await _ask(services, request, match.rule, person, grants=True)
        subject = make_subject(
            services,
            request,
            match,
            where,
            user=person.user,
            device=person.device,
            known=known,
            body=body,
            now=now,
            record=record,
        )
        findings = await measure(services, subject)
    assessment = _assess(services, match.rule, findings)
    upstream = upstream_of(services, request, person.user if person is not None else "", now)
    return Visit(
        request=request,
        rule=match.rule,
        path=match.path,
        person=person,
        where=where,
        findings=findings,
        assessment=assessment,
        now=now,
        request_id=services.new_id(now),
        shared=_shared(services, request, match, person, where, bool(known), assessment, upstream),
        flow_id=upstream.flow_id if upstream is not None else "",
        known=known,
        tokens=tokens,
    )


async def look(services: Services, visit: Visit, *, grants: bool = False) -> Visit:
    """The visit with what the store knows of its device, where that was not asked yet. ``grants``: the tokens are
    looked up in the same step."""
    if visit.known is not None or visit.person is None:
        return visit
    known, tokens = await _ask(services, visit.request, visit.rule, visit.person, grants=grants)
    return recognised(visit, known)._replace(tokens=tokens)


async def _ask(
    services: Services, request: Request, rule: Rule, person: Person, *, grants: bool
) -> tuple[bool, Tokens | None]:
    """A grant for one use is not looked at: it is taken, once that is all that is left to be done."""
    tokens = tokens_of(services, request) if grants and rule.grant != "request" else None
    found = await services.store.shown(person.user, person.device, tokens.grant_ids if tokens is not None else ())
    return found.known, tokens._replace(grants=found.grants) if tokens is not None else None


def recognised(visit: Visit, known: bool) -> Visit:
    """The visit once the store has said whether the device is known."""
    origin = {**visit.shared["origin"], "device_known": known}
    return visit._replace(known=known, shared={**visit.shared, "origin": origin})


def _assess(services: Services, rule: Rule, findings: Mapping[str, Finding]) -> Assessment:
    if not findings:
        return assess(rule, {}, services.settings.risk)
    points = {name: found.points for name, found in findings.items() if found.points}
    failed = [name for name, found in findings.items() if found.failed]
    return assess(rule, points, services.settings.risk, failed)


def new_flow(services: Services, visit: Visit) -> str:
    """The id of the flow that this request opens, or goes on with."""
    return visit.flow_id or services.new_id(visit.now)


def facts_of(services: Services, visit: Visit, flow_id: str) -> Facts:
    """The line's shared part for one flow."""
    return Facts(
        user_id=shown_user(services, visit.person.user) if visit.person else None,
        session_id=(visit.person.session or None) if visit.person else None,
        flow_id=flow_id,
        request_id=visit.request_id,
        service=services.settings.service,
        **visit.shared,
    )


def pack_facts(visit: Visit) -> bytes:
    """The shared part as JSON, for a challenge to keep."""
    return orjson.dumps(visit.shared)


def shown_user(services: Services, user: str) -> str:
    """The user id as lines show it: plain, or a keyed hash (``audit.user_id``)."""
    return services.keyring.pseudonym(user) if services.settings.trail.user_id == "hmac" else user


def _shared(
    services: Services,
    request: Request,
    match: Match,
    person: Person | None,
    where: Whereabouts,
    known: bool,
    assessment: Assessment,
    upstream: Upstream | None,
) -> dict[str, Any]:
    return {
        "action": action_of(match.rule, request),
        "origin": origin_of(services, request, where, person.device if person else "", known),
        "risk": assessment.as_line(),
        "policy": {"version": services.settings.policy_version, "mode": match.rule.mode},
        "trace": trace_of(request, upstream),
    }


def action_of(rule: Rule | None, request: Request) -> dict[str, Any]:
    """The ``action`` object of a line."""
    return {
        "route": rule.name if rule else None,
        "method": safe_text(request.method, 32),
        "template": rule.path if rule else None,
        "path": safe_text(request.path, 1024),
    }


_TRACED = (b"traceparent", b"x-request-id")


def trace_of(request: Request, upstream: Upstream | None = None) -> dict[str, Any] | None:
    """The ``trace`` object of a line from ``traceparent``, ``tracestate`` (W3C Trace Context) and ``X-Request-ID``, if
    any. A ``traceparent`` that is sent twice is none, and without one the state says nothing. ``flow``: what was handed
    on by a service before this one."""
    if upstream is None and not request.has_any(_TRACED):
        return None
    sent, request_id = request.header_values(b"traceparent"), request.header_text(b"x-request-id")
    parent = parse_traceparent(sent[0].decode("latin-1")) if len(sent) == 1 else None
    if parent is None and not request_id and upstream is None:
        return None
    trace: dict[str, Any] = {
        "trace_id": parent.trace_id if parent else None,
        "span_id": parent.span_id if parent else None,
        "request_id": safe_text(request_id, 128) or None,
    }
    state = b",".join(request.header_values(b"tracestate")).decode("latin-1") if parent else ""
    kept = parse_tracestate(state) if state else None
    if kept:
        trace["state"] = kept
    if upstream is not None:
        trace["flow"] = upstream.shown
    return trace
