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
from ..state import Challenge, Grant, Shown, Terms
from .carried import Tokens, tokens_of
from .cookies import MAX_GRANTS, read_grants
from .services import Services
from .shared import kinship, named
from .terms import kept_age_s, rule_named, rule_of
from .visit import Person, Visit, look, recognised

CLOCK_LEEWAY_S = 5
"""A proof this much in the future is taken for now (clocks of two hosts); further ahead it is refused."""

_ONCE = ("good", "stale")
"""How a grant stands that has opened the request once: one that is good still has no use left."""

KEEP = 64
"""Grants kept for one user; the oldest go."""


class Search(NamedTuple):
    """What came of looking: the grant that opens the request, or why none does.

    visit: with what was learned of its device on the way. stale: one would open it, were its proof fresh enough.
    forged: a token was not made by this service. foreign: a token that was made for another user, session or browser.
    """

    visit: Visit
    grant: Grant | None = None
    stale: bool = False
    forged: bool = False
    foreign: bool = False


async def find_grant(services: Services, visit: Visit, person: Person, binding: str) -> Search:
    """Look through the grants of the request, in one step of the store. For a rule that wants a proof for each request
    that step takes the use of the one that opens it; to be called when nothing else stands in its way."""
    tokens = visit.tokens or tokens_of(services, visit.request)
    if not tokens.carried:
        return Search(await look(services, visit), forged=tokens.forged)
    visit, found = await _look_up(services, visit, person, tokens, binding)
    stale = foreign = False
    for token, grant in zip(tokens.carried, found.grants, strict=True):
        standing = "stale" if grant is None else _standing(services, visit, person, grant, binding, token.portable)
        if grant is not None and standing == "good" and (grant.uses_left is None or grant == found.taken):
            return Search(visit, grant)
        stale |= standing in _ONCE
        foreign |= standing == "foreign"
    return Search(visit, None, stale, tokens.forged, foreign)


async def _look_up(
    services: Services, visit: Visit, person: Person, tokens: Tokens, binding: str
) -> tuple[Visit, Shown]:
    """What the store has for the tokens, and for the device where that was not asked yet; with the use of one."""
    device = "" if visit.known is not None else person.device
    if visit.rule.grant == "request" and binding:
        terms = _terms(services, visit, person, binding)
        found = await services.store.use_grant(person.user, device, tokens.carried, terms)
    elif tokens.grants is not None:
        return visit, Shown(bool(visit.known), tokens.grants)
    else:
        found = await services.store.shown(person.user, device, tokens.grant_ids)
    return (visit if visit.known is not None else recognised(visit, found.known)), found


def _terms(services: Services, visit: Visit, person: Person, binding: str) -> Terms:
    """What ``_standing`` calls good, for the store to take a use of: whatever it takes is judged there, too."""
    rule = visit.rule
    return Terms(
        user=person.user,
        session=person.session,
        browser=person.device,
        service=named(services, rule.grant),
        scope=rule.grant,
        rule=rule.name,
        rule_version=rule.version,
        binding=binding,
        methods=rule.factors,
        now=visit.now,
        max_age_s=rule.max_age_s,
        leeway_s=CLOCK_LEEWAY_S,
    )


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
    tokens = visit.tokens or tokens_of(services, visit.request)
    grants = tokens.grants
    if grants is None:
        grants = (await services.store.shown(person.user, "", tokens.grant_ids)).grants if tokens.carried else ()
    good = [
        grant
        for token, grant in zip(tokens.carried, grants, strict=True)
        if grant is not None and _standing(services, visit, person, grant, "", token.portable) == "good"
    ]
    return max(good, key=lambda held: _until(visit, held), default=None)


def _until(visit: Visit, grant: Grant) -> float:
    return min(grant.proved_at + visit.rule.max_age_s, grant.expires_at)


def mint(services: Services, challenge: Challenge, *, method: str, browser: str, now: float, epoch: int) -> Grant:
    """The grant that a passed challenge has earned in the epoch its code was judged in, to be kept. Its row goes when
    no rule could accept it any more."""
    rule = rule_of(services, challenge)
    scope: Literal["request", "route", "service"] = rule.grant if rule is not None else "request"
    ages = [r.max_age_s for r in services.settings.rules if r.grant != "request"] if scope == "service" else []
    max_age_s = max([kept_age_s(services, challenge, rule) if rule is not None else 0, *ages])
    return Grant(
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


def held_ids(services: Services, request: Request) -> frozenset[str]:
    """The ids of the grants whose tokens this request carries, good or not."""
    return frozenset(tokens_of(services, request).grant_ids)


async def held_tokens(services: Services, request: Request, person: Person) -> Sequence[str]:
    """The tokens of the cookie that still stand for a grant of this person, for a new one to join them."""
    texts: list[str] = []
    grant_ids: list[str] = []
    for text in read_grants(services, request):
        try:
            grant_ids.append(services.keyring.unsign("grant_cookie", text))
        except BadToken:
            continue
        texts.append(text)
    if not texts:
        return ()
    found = await services.store.shown(person.user, "", grant_ids)
    pairs = zip(texts, found.grants, strict=True)
    held = [text for text, grant in pairs if grant and (grant.user, grant.session) == (person.user, person.session)]
    return held[-(MAX_GRANTS - 1) :]


async def bind_request(services: Services, request: Request) -> str:
    """The keyed digest of this very request: method, path, query and body. BodyTooLarge over ``resume_max_body``."""
    body = await request.read_body(services.settings.challenge.resume_max_body)
    digest = hashlib.sha256()
    for part in (request.method.encode("utf-8", "surrogatepass"), request.path.encode("utf-8", "surrogatepass"),
                 request.root_path.encode("utf-8", "surrogatepass"), request.query, body):  # fmt: skip
        digest.update(len(part).to_bytes(8, "big") + part)
    return services.keyring.digest("binding", digest.hexdigest())
