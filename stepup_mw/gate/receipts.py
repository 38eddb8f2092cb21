"""How a change of authenticators is told: as JSON to a program, in words on a page to a person."""

from __future__ import annotations

from ..encoding import format_instant
from ..messages import Headers, Request, Response
from ..pages import Said, say
from ..pages.enroll import Device, EnrollView, codes_view, enroll_view
from ..totp import provisioning_uri
from . import answers, duplicates, replies, wording
from .change import Change, Outcome, current_proofs
from .codes import is_enrolled, own_factors
from .pending import Pending, new_pending
from .services import Services
from .targets import open_target
from .visit import Person

_DONE = ("enrolled", "replaced", "removed", "recovery_codes")
_ENROLL = ("enroll", say("codes.onward_enroll"))
_REFUSED = {
    "gone": (410, "challenge-gone"),
    "full": (400, "bad-request"),
    "last": (400, "bad-request"),
    "unknown": (400, "bad-request"),
    "admin": (403, "not-enrolled"),
}


def not_yours(services: Services, request: Request) -> Response:
    """403: a first authenticator is an operator's to give."""
    status, kind = _REFUSED["admin"]
    return answers.refusal(services, request, kind, status, say("change.admin"))


async def as_document(services: Services, request: Request, change: Change, outcome: Outcome) -> Response:
    """The answer to a program: 200, or a problem document."""
    if outcome.kind in _DONE:
        body = {
            "status": outcome.kind,
            "factor_id": outcome.factor.factor_id if outcome.factor else None,
            "label": outcome.factor.label if outcome.factor else None,
            "recovery_codes": list(outcome.recovery_codes),
            "recovery_codes_left": await services.store.recovery_left(change.person.user),
        }
        return answers.as_json(200, body)
    if outcome.kind == "locked":
        return replies.locked(services, request, outcome.locked_until)
    if outcome.kind in _REFUSED:
        status, kind = _REFUSED[outcome.kind]
        return answers.problem(kind, status, say(f"change.{outcome.kind}"))
    skewed = outcome.kind == "skewed"
    return answers.problem(
        "clock-skew" if skewed else "invalid-code",
        401,
        wording.skew(outcome.drift_s, services.clock()) if skewed else say("code.rejected"),
        headers=(answers.plain_challenge(services),),
        attempts_left=outcome.attempts_left,
        field=outcome.field,
        **({"server_time": format_instant(services.clock())} if skewed else {}),
    )


async def on_a_page(
    services: Services, request: Request, change: Change, outcome: Outcome, *, part: str, back: str
) -> Response:
    """The answer to a person: what was done, or the page again with a sentence about what was wrong."""
    if outcome.kind in _DONE:
        return done(services, request, outcome, target=open_target(services, change.person, back), begun=_ENROLL)
    status, text, headers = refused(services, outcome)
    fresh = None if outcome.kind == "gone" else change.pending
    return await page(
        services,
        request,
        change.person,
        fresh or new_pending(services, change.person, change.now),
        back=back,
        error=text,
        part=part,
        label=change.label,
        status=status,
        headers=headers,
    )


def is_done(outcome: Outcome) -> bool:
    return outcome.kind in _DONE


def done(services: Services, request: Request, outcome: Outcome, *, target: str, begun: tuple[str, Said]) -> Response:
    """The page that says what was done, and leads on to ``target``, or back to where it was begun: an endpoint, and
    what it is called."""
    view = codes_view(
        text=say(f"did.{outcome.kind}"),
        codes=outcome.recovery_codes,
        onward=target or answers.endpoint(services, request, begun[0]),
        onward_text=say("codes.onward") if target else begun[1],
    )
    return answers.page(services, request, "codes", view, title=say(f"done.{outcome.kind}"))


def refused(services: Services, outcome: Outcome) -> tuple[int, Said, Headers]:
    """How a change that was not made is told to a person: the status, in words, and the headers with it."""
    if outcome.kind == "locked":
        wait_s = replies.retry_after_s(services, outcome.locked_until)
        return 429, wording.lock(wait_s, outcome.locked_until), ((b"retry-after", str(wait_s).encode("ascii")),)
    if outcome.kind in _REFUSED:
        return _REFUSED[outcome.kind][0], say(f"change.{outcome.kind}"), ()
    return 401, _wrong_in_words(services, outcome), (answers.plain_challenge(services),)


def _wrong_in_words(services: Services, outcome: Outcome) -> Said:
    which = "new" if outcome.field == "code" else "current"
    if outcome.kind == "skewed":
        return wording.skew(outcome.drift_s, services.clock())
    if outcome.kind == "replayed":
        return say(f"change.{which}_replayed")
    return say(f"change.{which}_wrong", count=outcome.attempts_left)


async def page(
    services: Services,
    request: Request,
    person: Person,
    pending: Pending,
    *,
    back: str,
    error: Said | None = None,
    part: str = "",
    label: str = "",
    status: int = 200,
    headers: Headers = (),
) -> Response:
    """The enrollment page around a pending secret."""
    recovery = "recovery_code" in current_proofs(services)
    view = EnrollView(
        user=person.user,
        url=answers.endpoint(services, request, "enroll"),
        secret=pending.secret,
        uri=provisioning_uri(pending.secret, person.user, services.settings.service),
        pending=pending.token,
        back=back,
        devices=[
            Device(factor_id=held.factor_id, label=held.label, since=wording.day(held.created_at))
            for held in await own_factors(services, person.user, kind="totp")
        ],
        codes_left=await services.store.recovery_left(person.user),
        by_recovery=recovery,
        enrolled=await is_enrolled(services, person.user),
        error=error,
        part=part,
        notice=duplicates.in_words(await duplicates.elsewhere(services, person, services.clock())),
        label=label,
    )
    title = say("enroll.title" if view.enrolled else "enroll.first")
    template = "authenticators" if view.enrolled else "enroll"
    return answers.page(services, request, template, enroll_view(view), title=title, status=status, headers=headers)
