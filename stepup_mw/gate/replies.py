"""How a trial, an ended challenge or a missing login is told: as a problem to a program, in words to a person."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from ..encoding import format_instant
from ..messages import Request, Response
from ..pages import ChallengeView, challenge_page
from ..policy import Rule
from ..state import FOREVER, Challenge
from . import answers
from .challenges import returns
from .services import Services
from .targets import seal_target
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
        request,
        "login-required",
        401,
        "This action needs a signed-in user.",
        headers=(answers.plain_challenge(services),),
    )


def challenge_required(
    services: Services, visit: Visit, challenge: Challenge, headers: tuple[tuple[bytes, bytes], ...]
) -> Response:
    """The 401 of CONTRACT section 3: what to do, where, and until when; never the score."""
    page = answers.endpoint(services, visit.request, f"challenges/{challenge.challenge_id}")
    return answers.problem(
        "challenge-required",
        401,
        f"Send a code to verify_url within {services.settings.challenge.ttl_s} seconds, then repeat the request.",
        headers=(answers.challenge_header(services, visit.request, visit.rule), *headers),
        flow_id=challenge.flow_id,
        challenge_id=challenge.challenge_id,
        factors=list(visit.rule.factors),
        max_age=visit.rule.max_age_s,
        expires_at=format_instant(challenge.expires_at),
        verify_url=f"{page}/verify",
        page_url=page,
    )


def not_enrolled(services: Services, request: Request, person: Person) -> Response:
    """No authenticator: 403, or where ``challenge.enroll = "self"`` the way to one."""
    text = "This action needs an authenticator, and none is enrolled for you."
    if services.settings.challenge.enroll != "self":
        return answers.refusal(request, "not-enrolled", 403, text)
    url = answers.endpoint(services, request, "enroll")
    if answers.is_navigation(request):
        target = answers.target_of(request) if request.method == "GET" else ""
        return answers.redirect(url + (f"?back={seal_target(services, person, target)}" if target else ""))
    return answers.problem("not-enrolled", 403, f"{text} Enroll one at enroll_url.", enroll_url=url)


def rejected(services: Services, request: Request, trial: Trial) -> Response:
    """The answer to a code that did not pass, for an API client."""
    if trial.kind == "locked":
        return locked(services, request, trial.locked_until)
    if trial.kind == "gone":
        return gone(request, 410)
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
        "The code is wrong or has been used before.",
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
        request,
        "locked",
        429,
        lock_text(wait_s, until),
        headers=((b"retry-after", str(wait_s).encode("ascii")),),
    )


def retry_after_s(services: Services, until: float) -> int:
    """Whole seconds until a lock ends, at least 1."""
    if until >= FOREVER:
        return FOREVER_RETRY_S
    return max(1, int(until - services.clock()) + 1)


def lock_text(wait_s: int, until: float) -> str:
    """A lock in words."""
    if until >= FOREVER:
        return "Too many wrong codes. The account is locked until an operator unlocks it."
    return (
        f"Too many wrong codes. Try again in {wait_s} seconds, at {_clock(until)}. No code is accepted before; "
        "three right codes in a row, one each half minute, end a long lock early."
    )


def skew_text(services: Services, trial: Trial) -> str:
    """A right code of another time, in words."""
    return skewed_text(services, trial.drift_s)


def skewed_text(services: Services, drift_s: int) -> str:
    """An authenticator's clock that is ``drift_s`` seconds off, in words, and what the time is here."""
    side = "ahead" if drift_s > 0 else "behind"
    return (
        f"The code is right for another time: the clock of your device is about {abs(drift_s)} seconds {side}. "
        f"Set it to network time; here it is {_clock(services.clock())}."
    )


def day(seconds: float) -> str:
    """``23 November 2026``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y}"


def gone(request: Request, status: int) -> Response:
    """404 for a challenge that is unknown or another's, 410 for one that has ended."""
    text = "It has ended; repeat the request for a new one." if status == 410 else "There is no such challenge here."
    return answers.refusal(request, "challenge-gone", status, text)


def page_of(
    services: Services,
    request: Request,
    challenge: Challenge,
    rule: Rule,
    action: dict[str, str],
    *,
    error: str = "",
    notice: str = "",
    status: int = 200,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Response:
    """The challenge page; ``action`` is the action object of the challenge's line."""
    url = answers.endpoint(services, request, f"challenges/{challenge.challenge_id}")
    view = ChallengeView(
        service=services.settings.service,
        user=challenge.user,
        route=rule.name,
        method=action["method"],
        path=action["path"],
        why=_WHY.get(challenge.reason, _WHY["route_policy"]),
        lasts=_spelt(rule),
        ends=_clock(challenge.expires_at),
        verify_url=f"{url}/verify",
        cancel_url=f"{url}/cancel",
        recovery="recovery_code" in rule.factors,
        returns=returns(challenge),
        error=error,
        notice=notice,
    )
    return challenge_page(view, status=status, headers=headers)


_WHY = {
    "route_policy": "This action needs a fresh proof that it is really you.",
    "elevated_risk_score": "Something about this request is unusual. A code shows that it is really you.",
    "stale_grant": "Your last proof is too old for this action. Please confirm again.",
}


def _spelt(rule: Rule) -> str:
    """How long a proof lasts, in words: ``for 5 minutes``."""
    if rule.grant == "request":
        return "for this request only"
    for unit, seconds in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rule.max_age_s, seconds)
        if count and not rest:
            return f"for {count} {unit}{'s' if count > 1 else ''}"
    return f"for {rule.max_age_s} seconds"


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")
