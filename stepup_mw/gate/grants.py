"""Grants: what a passed challenge earns, and whether one opens the request at hand.

A token carries nothing but a signed id; all that a grant means stands in the store, so that revocation, single use
and loss of the store hang on the id, not on a spelling. The age is the rule's to judge, the time is the proof's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ..encoding import b64url_encode
from ..errors import BadToken
from ..messages import Request
from ..state import Challenge, Grant
from .cookies import MAX_GRANTS, read_grants
from .services import Services
from .shared import kinship, named
from .terms import kept_age_s, rule_named, rule_of
from .visit import Person, Visit

CLOCK_LEEWAY_S = 5
"""A proof this much in the future is taken for now (clocks of two hosts); further ahead it is refused."""

KEEP = 64
"""Grants kept for one user; the oldest go."""


class Search(NamedTuple):
    """What came of looking: the grant that opens the request, or why none does.

    stale: one would, were its proof fresh enough. forged: a token was not made by this service. foreign: a token
    that was made for another user, session or browser.
    """

    grant: Grant | None = None
    stale: bool = False
    forged: bool = False
    foreign: bool = False


async def find_grant(services: Services, visit: Visit, person: Person, binding: str) -> Search:
    """Look through the grants of the request. Takes a single-use grant in the same step as it accepts it."""
    stale = forged = foreign = False
    for token in _tokens(services, visit.request):
        try:
            grant_id, portable = _opened(services, token)
        except BadToken:
            forged = True
            continue
        grant = await services.store.grant(grant_id)
        standing = "stale" if grant is None else _standing(services, visit, person, grant, binding, portable)
        if grant is not None and standing == "good" and (grant.uses_left is None or await _taken(services, grant)):
            return Search(grant=grant)
        stale = stale or standing in ("good", "stale")
        foreign = foreign or standing == "foreign"
    return Search(stale=stale, forged=forged, foreign=foreign)


async def _taken(services: Services, grant: Grant) -> bool:
    return await services.store.use_grant(grant.grant_id)


class _Token(NamedTuple):
    text: str
    from_header: bool


def _tokens(services: Services, request: Request) -> list[_Token]:
    header = request.header_text(b"step-up-grant")
    tokens = [_Token(header, from_header=True)] if header else []
    if request.header(b"cookie") is not None:
        tokens += [_Token(text, from_header=False) for text in read_grants(services, request)]
    return tokens


def _opened(services: Services, token: _Token) -> tuple[str, bool]:
    """The grant's id, and whether the token is of the portable kind, made for clients without cookies. A token of
    the cookie's kind counts with its browser only, also when it comes in the header."""
    if token.from_header:
        try:
            return services.keyring.unsign("grant", token.text), True
        except BadToken:
            pass
    return services.keyring.unsign("grant_cookie", token.text), False


def _standing(
    services: Services, visit: Visit, person: Person, grant: Grant, binding: str, portable: bool
) -> Literal["good", "stale", "foreign", "other"]:
    kin, rule = kinship(services, grant), visit.rule
    if grant.user != person.user or grant.session != person.session or kin == "foreign":
        return "foreign"
    if not portable and grant.browser not in ("", person.device):
        return "foreign"
    covered = _covers_shared(visit) if kin == "shared" else _covers(services, visit, grant, binding)
    if not covered or grant.method not in rule.factors:
        return "other"
    now = visit.now
    fresh = -CLOCK_LEEWAY_S <= now - grant.proved_at < rule.max_age_s and now < grant.expires_at
    return "good" if fresh else "stale"


def _covers(services: Services, visit: Visit, grant: Grant, binding: str) -> bool:
    """Whether the grant's scope reaches the rule: a ``route`` or ``service`` grant never opens a rule that wants a
    proof for each request, and a grant of a rule that has changed since opens nothing. One that was asked for with
    fields opens what is asked for with the same."""
    rule = visit.rule
    if rule_named(services, grant.rule, grant.rule_version) is None:
        return False
    if rule.grant == "request" or grant.scope == "request":
        same = grant.scope == rule.grant and grant.rule == rule.name
        return same and bool(binding) and grant.binding == binding
    if grant.binding and grant.binding != binding:
        return False
    return grant.scope == "service" or grant.rule == rule.name


def _covers_shared(visit: Visit) -> bool:
    """The rule that it was earned under is another service's to know."""
    return visit.rule.grant != "request"


async def freshness_s(services: Services, visit: Visit, person: Person) -> int:
    """For how many more seconds a grant of this request opens the rule; 0 for none. Takes no use of any."""
    grant = await freshest(services, visit, person)
    return int(_until(visit, grant) - visit.now) if grant is not None else 0


async def freshest(services: Services, visit: Visit, person: Person) -> Grant | None:
    """The grant of this request that opens the rule longest; None where none does. Takes no use of any."""
    best: Grant | None = None
    for token in _tokens(services, visit.request):
        try:
            grant_id, portable = _opened(services, token)
        except BadToken:
            continue
        grant = await services.store.grant(grant_id)
        if grant is not None and _standing(services, visit, person, grant, "", portable) == "good":
            best = grant if best is None else max(best, grant, key=lambda held: _until(visit, held))
    return best


def _until(visit: Visit, grant: Grant) -> float:
    return min(grant.proved_at + visit.rule.max_age_s, grant.expires_at)


async def mint(
    services: Services, challenge: Challenge, *, method: str, browser: str, now: float, epoch: int
) -> Grant | None:
    """Keep the grant that a passed challenge has earned in the epoch its code was judged in; None where that epoch has
    ended since. Its row goes when no rule could accept it any more."""
    rule = rule_of(services, challenge)
    scope: Literal["request", "route", "service"] = rule.grant if rule is not None else "request"
    ages = [r.max_age_s for r in services.settings.rules if r.grant != "request"] if scope == "service" else []
    max_age_s = max([kept_age_s(services, challenge, rule) if rule is not None else 0, *ages])
    grant = Grant(
        grant_id=b64url_encode(services.random(16)),
        user=challenge.user,
        session=challenge.session,
        browser=browser,
        service=named(services, scope),
        scope=scope,
        rule=challenge.rule,
        rule_version=challenge.rule_version,
        binding=challenge.binding,
        method=method,
        flow_id=challenge.flow_id,
        challenge_id=challenge.challenge_id,
        proved_at=now,
        expires_at=now + max_age_s,
        uses_left=1 if scope == "request" else None,
        epoch=epoch,
    )
    return grant if await services.store.put_grant(grant, keep=KEEP) else None


def held_ids(services: Services, request: Request) -> frozenset[str]:
    """The ids of the grants whose tokens this request carries, good or not."""
    found = set()
    for token in _tokens(services, request):
        try:
            found.add(_opened(services, token)[0])
        except BadToken:
            continue
    return frozenset(found)


async def held_tokens(services: Services, request: Request, person: Person) -> Sequence[str]:
    """The tokens of the cookie that still stand for a grant of this person, for a new one to join them."""
    held: list[str] = []
    for token in read_grants(services, request):
        try:
            grant = await services.store.grant(services.keyring.unsign("grant_cookie", token))
        except BadToken:
            continue
        if grant is not None and grant.user == person.user and grant.session == person.session:
            held.append(token)
    return held[-(MAX_GRANTS - 1) :]


async def bind_request(services: Services, request: Request) -> str:
    """The keyed digest of this very request: method, path, query and body. BodyTooLarge over ``resume_max_body``."""
    body = await request.read_body(services.settings.challenge.resume_max_body)
    digest = hashlib.sha256()
    for part in (request.method.encode("utf-8", "surrogatepass"), request.path.encode("utf-8", "surrogatepass"),
                 request.root_path.encode("utf-8", "surrogatepass"), request.query, body):  # fmt: skip
        digest.update(len(part).to_bytes(8, "big") + part)
    return services.keyring.digest("binding", digest.hexdigest())
