"""An access token as a proof (RFC 9470): whether the one at hand satisfies a rule, and how another is asked for.

Judges and words; what is let through is the admission's to say. A token never opens a rule that wants a proof for
each request: what the provider proved was not about this one.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from ..assertion import Demand, Judged, judge
from ..errors import StoreUnavailable
from ..messages import Response
from ..pages import say
from . import answers
from .services import Services
from .visit import Person, Visit
from .whereabouts import remember

KNOWN_WINDOW_S = 30 * 86_400
"""For so long it is known that an authentication has been seen: no rule takes an older one."""

LOOP_WINDOW_S = 600
"""A new token within this time that says what the last one said is a loop."""

_WORDS = {
    "acr": "A different authentication level is required",
    "amr": "A different authentication method is required",
    "auth_time": "The access token does not say when its user authenticated",
    "future": "The access token is from the future: the clocks of the issuer and of this service differ",
    "stale": "More recent authentication is required",
}
_log = logging.getLogger("stepup_mw")
_LOOP = (
    "The issuer gave a new token with the authentication of the last one; it may need max_age, prompt=login or an "
    "essential acr claim to ask its user again"
)


class Wanted(NamedTuple):
    """What is asked of the provider. ``detail``: for the audit line; ``loop``: it was asked before, and nothing came
    of it."""

    text: str
    detail: str
    loop: bool


def judge_token(visit: Visit, person: Person | None) -> Judged | None:
    """The token against the rule; None where there is none, or none could satisfy it."""
    if person is None or person.assertion is None or visit.rule.grant == "request":
        return None
    rule = visit.rule
    return judge(person.assertion, Demand(rule.acr, rule.amr, rule.max_age_s), visit.now)


async def want(services: Services, visit: Visit, person: Person, judged: Judged | None) -> Wanted | None:
    """What to say to a client whose token is no proof; None where tokens do not come into it. Remembers that it was
    asked, for LOOP_WINDOW_S, in the store."""
    if judged is None or person.assertion is None:
        return None
    loop = await _is_loop(services, visit, person)
    detail = "token_loop" if loop else f"token_{judged.lack}"
    return Wanted(text=_LOOP if loop else _WORDS[judged.lack], detail=detail, loop=loop)


async def _is_loop(services: Services, visit: Visit, person: Person) -> bool:
    """Whether another token with this ``acr`` and ``auth_time`` has been sent back before. The same token again is
    no loop: its client has not been at the provider."""
    assertion = person.assertion
    if assertion is None:
        return False
    said = f"{person.user}\0{visit.rule.name}\0{assertion.acr}\0{assertion.auth_time}"

    async def count(what: str) -> int:
        key = services.keyring.digest("asked", what)
        return await services.store.hits(f"asked:{key}", now=visit.now, window_s=LOOP_WINDOW_S, record=True)

    if await count(f"{said}\0{assertion.token_id}") > 1:
        return False
    return await count(said) > 1


async def make_known(services: Services, visit: Visit, person: Person, judged: Judged) -> None:
    """What a token that was a proof does beside opening: where it came from is known, as with a right code. Once an
    authentication, at its first token: who sends one on from elsewhere makes that place no better known. To be called
    once the request is on record; where the store fails, nothing is known."""
    if not (services.remembers or services.remembers_places or person.device):
        return
    key = "asked:" + services.keyring.digest("asked", f"{person.user}\0proved\0{judged.proved_at}")
    try:
        for record in (False, True):
            count = await services.store.hits(key, now=visit.now, window_s=KNOWN_WINDOW_S, record=record)
            if count > 1:
                return
        await remember(services, person.user, person.device, visit.where, visit.now)
    except StoreUnavailable as error:
        _log.warning("where an access token was a proof is not known: %s", error)


def provider_required(services: Services, visit: Visit, wanted: Wanted, flow_id: str) -> Response:
    """The 401 for a user without an authenticator here: the proof is the provider's to give, and only its."""
    return answers.problem(
        "challenge-required",
        401,
        say("challenge.token", why=wanted.text),
        headers=(answers.challenge_header(services, visit.request, visit.rule, wanted.text),),
        flow_id=flow_id,
        factors=[],
        max_age=visit.rule.max_age_s,
        loop=wanted.loop,
    )
