"""One challenge as its person meets it: shown, answered with a code, cancelled.

Only the person a challenge was raised for, in the session it was raised in, sees it; to everyone else it does not
exist.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..encoding import format_instant
from ..errors import BodyTooLarge
from ..messages import Request, Response
from ..pages import say
from ..passkeys import parse_answer
from ..policy import Rule
from ..state import Challenge
from . import answers, challenges, duplicates, grants, passkeys, replies, wording
from .cookies import grants_cookie, renewed_device
from .fields import read_fields
from .services import Services
from .terms import rule_of
from .trial import Attempting, Trial, forgive, try_code
from .visit import Person, identify
from .whereabouts import locate

MAX_FORM = 16 * 1024
"""Bytes of a verify or cancel body."""


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """``challenges/{id}``, ``challenges/{id}/verify`` and ``challenges/{id}/cancel``."""
    if len(rest) not in (1, 2):
        return replies.gone(services, request, 404)
    return await _challenge(services, request, request.method.upper(), rest[0], rest[1] if len(rest) == 2 else "")


async def _challenge(services: Services, request: Request, method: str, challenge_id: str, act: str) -> Response:
    allowed = {"": ("GET", "HEAD"), "passkey": ("GET", "HEAD"), "verify": ("POST",), "cancel": ("POST",)}.get(act)
    if allowed is None:
        return replies.gone(services, request, 404)
    if method not in allowed:
        return answers.not_allowed(allowed)
    person = await identify(services, request)
    if person is None:
        return replies.login_required(services, request)
    challenge = await services.store.challenge(challenge_id)
    if challenge is None or not _is_theirs(challenge, person):
        return replies.gone(services, request, 404)
    rule = rule_of(services, challenge)
    if rule is None:
        return replies.gone(services, request, 410)
    if allowed == ("POST",) and answers.is_cross_site(request):
        return answers.refusal(services, request, "bad-request", 400, say("refused.another_site"))
    if act == "verify":
        return await _verify(services, request, person, challenge, rule)
    if act == "cancel":
        return await _cancel(services, request, challenge)
    if act == "passkey":
        return await _passkey(services, request, challenge, rule)
    return await _show(services, request, person, challenge, rule)


def _is_theirs(challenge: Challenge, person: Person) -> bool:
    same_person = challenge.user == person.user and challenge.session == person.session
    return same_person and challenge.browser in ("", person.device)


async def _show(services: Services, request: Request, person: Person, challenge: Challenge, rule: Rule) -> Response:
    left = services.settings.challenge.attempts - challenge.attempts
    if challenge.state != "open" or left <= 0 or services.clock() >= challenge.expires_at:
        return replies.gone(services, request, 410)
    twice = await duplicates.elsewhere(services, person, services.clock())
    if answers.is_navigation(request):
        said = duplicates.in_words(twice)
        return await replies.page_of(services, request, challenge, rule, notice=said)
    return answers.as_json(
        200,
        {
            "status": "open",
            "flow_id": challenge.flow_id,
            "challenge_id": challenge.challenge_id,
            "factors": list(rule.factors),
            "max_age": rule.max_age_s,
            "attempts_left": left,
            "expires_at": format_instant(challenge.expires_at),
            "duplicate_codes": twice,
            **replies.told_of(orjson.loads(challenge.facts)["action"]),
        },
    )


async def _passkey(services: Services, request: Request, challenge: Challenge, rule: Rule) -> Response:
    """What ``navigator.credentials.get`` is given to pass this challenge."""
    wanted = "passkey" in rule.factors and challenge.state == "open"
    options = await passkeys.options(services, challenge.user, "challenge", challenge.challenge_id) if wanted else None
    if options is None:
        return replies.gone(services, request, 404)
    return answers.as_json(200, {"publicKey": options})


async def _verify(services: Services, request: Request, person: Person, challenge: Challenge, rule: Rule) -> Response:
    code = await _read_code(request)
    if code is None:
        text = say("code.send", example='{"code": "123456"}')
        return answers.refusal(services, request, "bad-request", 400, text)
    now = services.clock()
    attempting = Attempting(
        request=request,
        person=person,
        where=locate(services, request),
        challenge=challenge,
        rule=rule,
        code=code,
        now=now,
        request_id=services.new_id(now),
    )
    trial = await try_code(services, attempting)
    await challenges.conclude(services, trial)
    if trial.kind == "approved":
        await forgive(services, attempting, trial)
        return await _approved(services, request, person, trial, rule, now)
    return await _not_approved(services, request, trial, rule)


async def _approved(
    services: Services, request: Request, person: Person, trial: Trial, rule: Rule, now: float
) -> Response:
    """Give the grant: as a cookie that counts in this browser only, and by name to a client without cookies."""
    grant = await grants.mint(
        services, trial.challenge, method=trial.method, browser=person.device, now=now, epoch=trial.epoch
    )
    if grant is None:
        return replies.gone(services, request, 410)
    held = await grants.held_tokens(services, request, person)
    bound = services.keyring.sign("grant_cookie", grant.grant_id)
    kept = grants_cookie(services, [*held, bound], max(1, int(grant.expires_at - now)))
    headers = (kept, *renewed_device(services, request))
    if _wants_page(request, trial.challenge):
        return _back(services, request, trial.challenge, headers)
    portable = bound if _is_browser(request) else services.keyring.sign("grant", grant.grant_id)
    return answers.as_json(
        200,
        {
            "status": "approved",
            "flow_id": trial.challenge.flow_id,
            "grant": portable,
            "expires_at": format_instant(now + rule.max_age_s),
        },
        headers=headers,
    )


def _back(
    services: Services, request: Request, challenge: Challenge, headers: tuple[tuple[bytes, bytes], ...]
) -> Response:
    target = challenges.where_to(services, challenge)
    if target and challenges.returns(challenge):
        return answers.redirect(target, headers=headers)
    return answers.notice(
        services,
        request,
        say("confirmed.title"),
        say("confirmed.unkept"),
        status=200,
        back=target,
        headers=headers,
    )


async def _not_approved(services: Services, request: Request, trial: Trial, rule: Rule) -> Response:
    if not _wants_page(request, trial.challenge) or trial.kind == "gone":
        return replies.rejected(services, request, trial)
    if trial.kind == "locked":
        wait_s = replies.retry_after_s(services, trial.locked_until)
        text, status = wording.lock(wait_s, trial.locked_until), 429
        headers: tuple[tuple[bytes, bytes], ...] = ((b"retry-after", str(wait_s).encode("ascii")),)
    else:
        words = {
            "wrong": say("code.wrong", count=trial.attempts_left),
            "replayed": say("code.replayed", count=trial.attempts_left),
            "skewed": replies.skew_text(services, trial),
        }
        text, status, headers = words[trial.kind], 401, (answers.plain_challenge(services),)
    return await replies.page_of(services, request, trial.challenge, rule, error=text, status=status, headers=headers)


async def _cancel(services: Services, request: Request, challenge: Challenge) -> Response:
    if not await challenges.cancel(services, challenge, services.clock()):
        return replies.gone(services, request, 410)
    if _wants_page(request, challenge):
        return answers.notice(services, request, say("challenge.cancelled"), say("challenge.nothing_done"), status=200)
    return answers.as_json(200, {"status": "denied", "flow_id": challenge.flow_id})


async def _read_code(request: Request) -> str | dict[str, Any] | None:
    """The code as sent, or the answer of a passkey; None where there is neither. A form typed by a person may have a
    space in its code."""
    try:
        body = await request.read_body(MAX_FORM)
    except BodyTooLarge:
        return None
    if answers.is_form(request):
        fields = read_fields(body)
        if answer := fields.get("passkey", [""])[0]:
            return parse_answer(answer)
        values = fields.get("code", [])
        return values[0].strip(" ").replace(" ", "") if len(values) == 1 else None
    try:
        data: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    found = data.get("code", data.get("passkey")) if isinstance(data, dict) else None
    return found if isinstance(found, dict) or (isinstance(found, str) and len(found) <= 64) else None


def _wants_page(request: Request, challenge: Challenge) -> bool:
    """A person at the page, not a program: a navigation, or the form of a challenge that a navigation met."""
    return answers.is_navigation(request) or (answers.is_form(request) and bool(challenge.browser))


def _is_browser(request: Request) -> bool:
    return request.header(b"sec-fetch-site") is not None or request.header(b"origin") is not None
