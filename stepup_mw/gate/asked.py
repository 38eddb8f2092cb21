"""One challenge as its person meets it: shown, answered with a code, cancelled.

Only the person a challenge was raised for, in the session it was raised in, sees it; to everyone else it does not
exist.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..encoding import format_instant
from ..errors import BodyTooLarge
from ..messages import Pass, Request, Response
from ..pages import say
from ..passkeys import parse_answer
from ..policy import Rule
from ..state import Challenge
from . import answers, challenges, duplicates, earned, kept, passkeys, replies, resume, wording
from .fields import read_fields
from .services import Services
from .shared import own_challenge
from .terms import rule_of
from .trial import Attempting, Trial, try_code
from .visit import Person, identify
from .whereabouts import locate

MAX_FORM = 16 * 1024
"""Bytes of a verify or cancel body."""


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Pass | Response:
    """``challenges/{id}``, ``challenges/{id}/verify`` and ``challenges/{id}/cancel``."""
    if len(rest) not in (1, 2):
        return answers.not_found(services, request)
    return await _challenge(services, request, request.method.upper(), rest[0], rest[1] if len(rest) == 2 else "")


async def _challenge(services: Services, request: Request, method: str, challenge_id: str, act: str) -> Pass | Response:
    allowed = {"": ("GET", "HEAD"), "passkey": ("GET", "HEAD"), "verify": ("POST",), "cancel": ("POST",)}.get(act)
    if allowed is None:
        return answers.not_found(services, request)
    if method not in allowed:
        return answers.not_allowed(services, request, allowed)
    person = await identify(services, request)
    if person is None:
        return replies.login_required(services, request)
    challenge = await own_challenge(services, challenge_id)
    if challenge is None or not _is_theirs(challenge, person):
        return await _not_theirs(services, request, person, challenge)
    rule = rule_of(services, challenge)
    if rule is None:
        return replies.gone(services, request, 410)
    if allowed == ("POST",) and answers.is_cross_site(request):
        return answers.refusal(services, request, "bad-request", 400, say("refused.another_site"))
    if act == "verify":
        return await _verify(services, request, person, challenge, rule)
    if act == "cancel":
        return await _cancel(services, request, person, challenge)
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
        waiting = await kept.look(services, challenge, person)
        return await replies.page_of(services, request, challenge, rule, waiting, notice=said)
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


async def _not_theirs(services: Services, request: Request, person: Person, challenge: Challenge | None) -> Response:
    """It does not exist for them. Where it would run what somebody was sending, that they tried is on record."""
    rule = rule_of(services, challenge) if challenge is not None and kept.digest_of(challenge) else None
    if challenge is not None and rule is not None:
        attempting = _attempting(services, request, person, challenge, rule, "")
        await resume.refuse_line(services, attempting, "resume_foreign")
    return replies.gone(services, request, 404)


def _attempting(
    services: Services,
    request: Request,
    person: Person,
    challenge: Challenge,
    rule: Rule,
    code: str | dict[str, Any],
) -> Attempting:
    now = services.clock()
    return Attempting(
        request=request,
        person=person,
        where=locate(services, request),
        challenge=challenge,
        rule=rule,
        code=code,
        now=now,
        request_id=services.new_id(now),
    )


async def _verify(
    services: Services, request: Request, person: Person, challenge: Challenge, rule: Rule
) -> Pass | Response:
    code, seen = await _read_code(request)
    if code is None:
        text = say("code.send", example='{"code": "123456"}')
        return answers.refusal(services, request, "bad-request", 400, text)
    attempting = _attempting(services, request, person, challenge, rule, code)
    trial = await try_code(services, attempting)
    if trial.kind == "approved":
        await services.journal.write(*trial.records)
        return await earned.give(services, attempting, trial, seen=seen)
    await challenges.conclude(services, trial)
    if trial.kind == "gone" and kept.digest_of(challenge):
        await resume.refuse_line(services, attempting, "resume_gone")
    return await _not_approved(services, attempting, trial)


async def _not_approved(services: Services, attempting: Attempting, trial: Trial) -> Response:
    request, rule = attempting.request, attempting.rule
    if not answers.wants_page(request, trial.challenge) or trial.kind == "gone":
        return replies.rejected(services, request, trial)
    wait_s = replies.retry_after_s(services, trial.locked_until)
    if trial.kind == "locked":
        text, status = wording.lock(wait_s, trial.locked_until), 429
        headers: tuple[tuple[bytes, bytes], ...] = ((b"retry-after", str(wait_s).encode("ascii")),)
    elif trial.locked_until:  # by this very code: to try once more is of no use
        text, status, headers = wording.lock(wait_s, trial.locked_until), 401, (answers.plain_challenge(services),)
    else:
        words = {
            "wrong": say("code.wrong", count=trial.attempts_left),
            "replayed": say("code.replayed", count=trial.attempts_left),
            "skewed": replies.skew_text(services, trial),
        }
        text, status, headers = words[trial.kind], 401, (answers.plain_challenge(services),)
    waiting = await kept.look(services, trial.challenge, attempting.person)
    return await replies.page_of(
        services, request, trial.challenge, rule, waiting, error=text, status=status, headers=headers
    )


async def _cancel(services: Services, request: Request, person: Person, challenge: Challenge) -> Response:
    if not await challenges.cancel(services, challenge, services.clock()):
        return replies.gone(services, request, 410)
    await resume.drop(services, challenge, person)
    if answers.wants_page(request, challenge):
        back = "" if challenges.returns(challenge) else challenges.where_to(services, challenge)
        title, text = say("challenge.cancelled"), say("challenge.nothing_done")
        return answers.notice(services, request, title, text, status=200, back=back)
    return answers.as_json(200, {"status": "denied", "flow_id": challenge.flow_id})


async def _read_code(request: Request) -> tuple[str | dict[str, Any] | None, str]:
    """The code as sent, or the answer of a passkey, None where there is neither; and what the page has shown. A form
    typed by a person may have a space in its code."""
    try:
        body = await request.read_body(MAX_FORM)
    except BodyTooLarge:
        return None, ""
    if answers.is_form(request):
        fields = read_fields(body)
        seen = fields.get("seen", [""])[-1]
        if answer := fields.get("passkey", [""])[0]:
            return parse_answer(answer), seen
        values = fields.get("code", [])
        return (values[0].strip(" ").replace(" ", "") if len(values) == 1 else None), seen
    try:
        data: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, ""
    found = data.get("code", data.get("passkey")) if isinstance(data, dict) else None
    return (found if isinstance(found, dict) or (isinstance(found, str) and len(found) <= 64) else None), ""
