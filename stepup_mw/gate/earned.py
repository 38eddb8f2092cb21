"""What a right code gives: the grant, the way back, and what waited for it."""

from __future__ import annotations

from ..encoding import format_instant
from ..messages import Headers, Pass, Request, Response
from ..pages import say
from ..policy import Rule
from ..state import Challenge, Grant
from . import answers, challenges, grants, kept, replies, resume
from .cookies import grants_cookie, renewed_device
from .rewards import reward
from .services import Services
from .trial import Attempting, Trial


async def give(services: Services, attempting: Attempting, trial: Trial, *, seen: str) -> Pass | Response:
    """The answer to a right code; its outcome is on record. ``seen``: see ``resume.run``."""
    request, challenge = attempting.request, trial.challenge
    page, waits = answers.wants_page(request, challenge), bool(kept.digest_of(challenge))
    grant = None
    if not (page and waits and attempting.rule.grant == "request"):
        grant = grants.mint(
            services,
            challenge,
            method=trial.method,
            browser=attempting.person.device,
            now=attempting.now,
            epoch=trial.epoch,
        )
    given = await reward(services, attempting, trial, grant=grant, kept=waits)
    if not given.granted if grant is not None else given.epoch != trial.epoch:
        return replies.gone(services, request, 410)
    token, headers = await _token_of(services, attempting, grant)
    if page and waits:
        waiting = kept.opened(services, challenge, attempting.person, given.kept)
        return await resume.run(services, attempting, trial, waiting, seen=seen, headers=headers)
    if page:
        return _back(services, request, challenge, headers)
    return _document(attempting, token, headers)


async def _token_of(services: Services, attempting: Attempting, grant: Grant | None) -> tuple[str, Headers]:
    """The token of the grant, if there is one, as a cookie that counts in this browser only and by name to a client
    without cookies."""
    request, person, now = attempting.request, attempting.person, attempting.now
    if grant is None:
        return "", renewed_device(services, request)
    held = await grants.held_tokens(services, request, person)
    bound = services.keyring.sign("grant_cookie", grant.grant_id)
    cookie = grants_cookie(services, [*held, bound], max(1, int(grant.expires_at - now)))
    portable = bound if _is_browser(request) else services.keyring.sign("grant", grant.grant_id)
    return portable, (cookie, *renewed_device(services, request))


def _document(attempting: Attempting, token: str, headers: Headers) -> Response:
    rule: Rule = attempting.rule
    body = {
        "status": "approved",
        "flow_id": attempting.challenge.flow_id,
        "grant": token,
        "expires_at": format_instant(attempting.now + rule.max_age_s),
    }
    return answers.as_json(200, body, headers=headers)


def _back(services: Services, request: Request, challenge: Challenge, headers: Headers) -> Response:
    """To where a GET was going; or a page that sends the person back to the form they had filled in."""
    target = challenges.where_to(services, challenge)
    if target and challenges.returns(challenge):
        return answers.redirect(target, headers=headers)
    view = {"text": say("confirmed.unkept"), "back": target, "form": challenge.challenge_id}
    return answers.page(services, request, "unkept", view, title=say("confirmed.title"), headers=headers)


def _is_browser(request: Request) -> bool:
    return request.header(b"sec-fetch-site") is not None or request.header(b"origin") is not None
