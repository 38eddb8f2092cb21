"""How a change of authenticators is told: as JSON to a program, in words on a page to a person."""

from __future__ import annotations

from ..encoding import format_instant
from ..messages import Headers, Request, Response
from ..pages.enroll import Device, EnrollView, codes_page, enroll_page
from ..totp import provisioning_uri
from . import answers, duplicates, replies
from .change import Change, Outcome, current_proofs
from .codes import is_enrolled, own_factors
from .pending import Pending, new_pending
from .services import Services
from .targets import open_target
from .visit import Person

_DONE = ("enrolled", "replaced", "removed", "recovery_codes")
_TITLES = {
    "enrolled": "Authenticator confirmed",
    "replaced": "Authenticator replaced",
    "removed": "Authenticator removed",
    "recovery_codes": "New recovery codes",
}
_DID = {
    "enrolled": "It is yours from now on. Earlier confirmations no longer count.",
    "replaced": "The new one counts from now on; the old one and earlier confirmations no longer do.",
    "removed": "It no longer counts, and neither do earlier confirmations.",
    "recovery_codes": "The codes you had before no longer work.",
}
_REFUSED = {
    "gone": (
        410,
        "challenge-gone",
        "This secret was shown too long ago, or has been used. Begin again.",
    ),
    "full": (400, "bad-request", "There is no room for one more authenticator: remove or replace one."),
    "last": (400, "bad-request", "The last authenticator can be replaced here; only an operator can remove it."),
    "unknown": (400, "bad-request", "You have no authenticator of that id."),
    "admin": (403, "not-enrolled", "Your first authenticator is an operator's to give."),
}


def not_yours(request: Request) -> Response:
    """403: a first authenticator is an operator's to give."""
    status, kind, text = _REFUSED["admin"]
    return answers.refusal(request, kind, status, text)


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
        status, kind, text = _REFUSED[outcome.kind]
        return answers.problem(kind, status, text)
    skewed = outcome.kind == "skewed"
    return answers.problem(
        "clock-skew" if skewed else "invalid-code",
        401,
        replies.skewed_text(services, outcome.drift_s) if skewed else "The code is wrong or has been used before.",
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
        target = open_target(services, change.person, back)
        return codes_page(
            service=services.settings.service,
            title=_TITLES[outcome.kind],
            text=_DID[outcome.kind],
            codes=outcome.recovery_codes,
            onward=target or answers.endpoint(services, request, "enroll"),
            onward_text="Continue" if target else "Your authenticators",
        )
    status, pending = 401, change.pending
    headers: Headers = (answers.plain_challenge(services),)
    if outcome.kind == "locked":
        wait_s = replies.retry_after_s(services, outcome.locked_until)
        text, status = replies.lock_text(wait_s, outcome.locked_until), 429
        headers = ((b"retry-after", str(wait_s).encode("ascii")),)
    elif outcome.kind in _REFUSED:
        status, _, text = _REFUSED[outcome.kind]
        headers, pending = (), pending if outcome.kind != "gone" else None
    else:
        text = _wrong_in_words(services, outcome)
    return await page(
        services,
        request,
        change.person,
        pending or new_pending(services, change.person, change.now),
        back=back,
        error=text,
        part=part,
        label=change.label,
        status=status,
        headers=headers,
    )


def _wrong_in_words(services: Services, outcome: Outcome) -> str:
    which = "of the new authenticator" if outcome.field == "code" else "of what you have now"
    if outcome.kind == "skewed":
        return replies.skewed_text(services, outcome.drift_s)
    if outcome.kind == "replayed":
        return f"The code {which} has been used before. Wait for the next one."
    return f"The code {which} is wrong. Tries left: {outcome.attempts_left}."


async def page(
    services: Services,
    request: Request,
    person: Person,
    pending: Pending,
    *,
    back: str,
    error: str = "",
    part: str = "",
    label: str = "",
    status: int = 200,
    headers: Headers = (),
) -> Response:
    """The enrollment page around a pending secret."""
    recovery = "recovery_code" in current_proofs(services)
    view = EnrollView(
        service=services.settings.service,
        user=person.user,
        url=answers.endpoint(services, request, "enroll"),
        secret=pending.secret,
        uri=provisioning_uri(pending.secret, person.user, services.settings.service),
        pending=pending.token,
        back=back,
        devices=[
            Device(factor_id=held.factor_id, label=held.label, since=replies.day(held.created_at))
            for held in await own_factors(services, person.user)
        ],
        codes_left=await services.store.recovery_left(person.user),
        proof="a code of what you have now" + (", or a recovery code" if recovery else ""),
        enrolled=await is_enrolled(services, person.user),
        error=error,
        part=part,
        notice=duplicates.in_words(await duplicates.elsewhere(services, person, services.clock())),
        label=label,
    )
    return enroll_page(view, status=status, headers=headers)
