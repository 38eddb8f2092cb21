"""How a trial, an ended challenge or a missing login is told: as a problem to a program, in words to a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from ..encoding import format_instant, format_size
from ..messages import Headers, Request, Response
from ..pages import Said, say
from ..policy import Rule
from ..state import FOREVER, Challenge
from . import answers, in_place, passkeys, wording
from .asserted import Wanted
from .challenges import returns
from .kept import Waiting, digest_of, reason_of
from .sent import read_sent
from .services import Services
from .targets import seal_target
from .terms import is_made
from .trial import Trial
from .visit import Person, Visit

FOREVER_RETRY_S = 86_400
"""``Retry-After`` of a lock that only an unlock ends."""


def login_required(services: Services, request: Request) -> Response:
    """No user: to the login page for a browser, else 401."""
    login_url = services.settings.identity.login_url
    if login_url and answers.is_navigation(request):
        return answers.redirect(quote(login_url, safe="/:?@!$&'()*+,;=~-._%#"))
    return answers.refusal(
        services,
        request,
        "login-required",
        401,
        say("refused.login"),
        headers=(answers.login_challenge(services),),
    )


def challenge_required(
    services: Services, visit: Visit, challenge: Challenge, headers: Headers, wanted: Wanted | None = None
) -> Response:
    """The 401 of CONTRACT section 3: what to do, where, and until when; never the score."""
    page = answers.endpoint(services, visit.request, f"challenges/{challenge.challenge_id}")
    said = (wanted.text,) if wanted is not None else ()
    return answers.problem(
        "challenge-required",
        401,
        _asked_for(services.settings.challenge.ttl_s, wanted),
        headers=(answers.challenge_header(services, visit.request, visit.rule, *said), *headers),
        flow_id=challenge.flow_id,
        challenge_id=challenge.challenge_id,
        factors=list(visit.rule.factors),
        max_age=visit.rule.max_age_s,
        expires_at=format_instant(challenge.expires_at),
        verify_url=f"{page}/verify",
        page_url=page,
        **({"loop": wanted.loop} if wanted is not None else {}),
        **told_of(visit.shared["action"]),
    )


def told_of(action: Mapping[str, Any]) -> dict[str, Any]:
    """What code of the app says of the action it wants a proof for: ``reason``, and ``action`` with its fields."""
    told = {"reason": action["reason"]} if "reason" in action else {}
    return {**told, "action": action["fields"]} if "fields" in action else told


def _asked_for(seconds: int, wanted: Wanted | None) -> Said:
    if wanted is None:
        return say("challenge.required", seconds=seconds)
    return say("challenge.token_or_code", why=wanted.text, seconds=seconds)


def not_enrolled(services: Services, request: Request, person: Person, factors: Sequence[str]) -> Response:
    """Nothing that counts by the ``factors`` of the rule: 403, or where ``challenge.enroll = "self"`` the way to it."""
    if services.settings.challenge.enroll != "self":
        return answers.refusal(services, request, "not-enrolled", 403, say("refused.not_enrolled"))
    by_passkey = "passkey" in factors and "totp" not in factors
    url = answers.endpoint(services, request, "passkeys" if by_passkey else "enroll")
    if answers.is_navigation(request):
        if by_passkey:
            return answers.redirect(url)
        target = answers.target_of(request) if request.method == "GET" else ""
        return answers.redirect(url + (f"?back={seal_target(services, person, target)}" if target else ""))
    return answers.problem("not-enrolled", 403, say("refused.enroll_at"), enroll_url=url)


def rejected(services: Services, request: Request, trial: Trial) -> Response:
    """The answer to a code that did not pass, for an API client."""
    if trial.kind == "locked":
        return locked(services, request, trial.locked_until)
    if trial.kind == "gone":
        return gone(services, request, 410)
    headers = (answers.plain_challenge(services),)
    if trial.kind == "skewed":
        return answers.problem(
            "clock-skew",
            401,
            skew_text(services, trial),
            headers=headers,
            attempts_left=trial.attempts_left,
            server_time=format_instant(services.clock()),
        )
    page = answers.endpoint(services, request, f"challenges/{trial.challenge.challenge_id}")
    return answers.problem(
        "invalid-code",
        401,
        say("code.rejected"),
        headers=headers,
        attempts_left=trial.attempts_left,
        flow_id=trial.challenge.flow_id,
        challenge_id=trial.challenge.challenge_id,
        verify_url=f"{page}/verify",
    )


def locked(services: Services, request: Request, until: float) -> Response:
    """429 with ``Retry-After``: no code was looked at."""
    wait_s = retry_after_s(services, until)
    return answers.refusal(
        services,
        request,
        "locked",
        429,
        wording.lock(wait_s, until),
        headers=((b"retry-after", str(wait_s).encode("ascii")),),
    )


def retry_after_s(services: Services, until: float) -> int:
    """Whole seconds until a lock ends, at least 1."""
    if until >= FOREVER:
        return FOREVER_RETRY_S
    return max(1, math.ceil(round(until - services.clock(), 3)))


def skew_text(services: Services, trial: Trial) -> Said:
    """A right code of another time, in words."""
    return wording.skew(trial.drift_s, services.clock())


def gone(services: Services, request: Request, status: int) -> Response:
    """404 for a challenge that is unknown or another's, 410 for one that has ended."""
    text = say("refused.ended" if status == 410 else "refused.unknown")
    return answers.refusal(services, request, "challenge-gone", status, text)


async def page_of(
    services: Services,
    request: Request,
    challenge: Challenge,
    rule: Rule,
    waiting: Waiting,
    *,
    error: Said | None = None,
    notice: Said | None = None,
    status: int = 200,
    headers: Headers = (),
) -> Response:
    """The challenge page: who asks, from where, for what and why, how long it lasts, and the field for the code."""
    url = answers.endpoint(services, request, f"challenges/{challenge.challenge_id}")
    facts = orjson.loads(challenge.facts)
    resumes = _resumes(services, rule, challenge, waiting)
    view: dict[str, Any] = {
        "user": challenge.user,
        "route": facts["action"].get("reason", rule.name),
        "method": facts["action"]["method"],
        "path": facts["action"]["path"],
        "why": say(f"why.{challenge.reason if challenge.reason in _WHY else 'route_policy'}"),
        "fields": wording.fields(facts["action"].get("fields", {})),
        "origin": wording.origin(facts["origin"] or {}),
        "asked": wording.clock(challenge.created_at),
        "asked_iso": format_instant(challenge.created_at),
        "lasts": wording.lasts(rule),
        "ends": wording.clock(challenge.expires_at),
        "ends_iso": format_instant(challenge.expires_at),
        "send_url": (resumes or {}).get("place") or f"{url}/verify",
        "cancel_url": f"{url}/cancel",
        "challenge_id": challenge.challenge_id,
        "codes": "totp" in rule.factors,
        "recovery": "recovery_code" in rule.factors,
        "passkey": await _passkey(services, challenge, rule),
        "auto": waiting.message is None,
        "resumes": resumes,
        "unkept": None if waiting.message else _unkept(services, challenge, waiting),
        "error": error,
        "notice": notice,
    }
    return answers.page(
        services, request, "challenge", view, title=say("challenge.title"), status=status, headers=headers
    )


async def _passkey(services: Services, challenge: Challenge, rule: Rule) -> str:
    """What the page's script gives to the browser, as JSON; "" where the person has no passkey that counts here."""
    if "passkey" not in rule.factors:
        return ""
    options = await passkeys.options(services, challenge.user, "challenge", challenge.challenge_id)
    return orjson.dumps(options).decode() if options is not None else ""


def _resumes(services: Services, rule: Rule, challenge: Challenge, waiting: Waiting) -> dict[str, Any] | None:
    """What will run: the chosen fields of what was kept, and how much more there is."""
    message = waiting.message
    if message is None:
        return None
    kind = next((value.decode("latin-1") for name, value in message.headers if name == b"content-type"), "")
    sent = read_sent(kind, message.body, rule.show)
    return {
        "seen": digest_of(challenge),
        "place": in_place.address(services, challenge, rule, message),
        "fields": [{"name": name, "value": value} for name, value in sent.fields],
        "more": say("resume.more", count=sent.more) if sent.more else None,
        "files": say("resume.files", count=sent.files) if sent.files else None,
        "unread": None if sent.readable else say("resume.unread"),
        "button": say("resume.send") if is_made(rule) else say("resume.confirm", route=rule.name),
    }


def _unkept(services: Services, challenge: Challenge, waiting: Waiting) -> Said | None:
    """Why nothing will run, where something was sent."""
    if returns(challenge):
        return None
    reason = reason_of(challenge)
    if reason == "elsewhere":
        return say("unkept.elsewhere")
    if reason == "too_large":
        return say("unkept.too_large", limit=format_size(services.settings.challenge.resume_max_body))
    return say("unkept.gone" if waiting.trouble else "unkept.other")


_WHY = ("route_policy", "elevated_risk_score", "stale_grant", "app_required")
"""Reasons that have words of their own."""
