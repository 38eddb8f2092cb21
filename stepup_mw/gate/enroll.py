"""``GET enroll`` and ``POST enroll``: what a person has, and its changes, as a page and as JSON.

GET shows a fresh secret that nobody keeps; only a POST from this site, with the code of that secret, makes it theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from .. import totp
from ..encoding import format_instant
from ..errors import BodyTooLarge
from ..messages import Request, Response
from ..pages import say
from ..passkeys import parse_answer
from . import answers, authenticators, duplicates, passkeys, receipts
from .change import Change, current_proofs
from .codes import MAX_LABEL, is_enrolled, own_factors
from .fields import read_fields
from .owner import SEEN, meet
from .pending import new_pending, open_pending
from .services import Services
from .targets import open_target
from .told import seen_from
from .visit import Person

MAX_FORM = 32 * 1024
"""Bytes of a body."""

MAX_CODE = 64
"""Characters of a code as sent."""

_FIELDS = ("action", "pending", "code", "current_code", "label", "replace", "factor_id", "back")


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """Answer a request for ``enroll``."""
    if rest:
        return answers.not_found(services, request)
    person = await meet(services, request, (*SEEN, "POST"))
    if isinstance(person, Response):
        return person
    now = services.clock()
    if not await authenticators.may_change(services, person.user, now):
        return receipts.not_yours(services, request)
    if request.method.upper() not in SEEN:
        return await _change(services, request, person, now)
    back = read_fields(request.query).get("back", [""])[0]
    return await _show(services, request, person, now, back)


async def _show(services: Services, request: Request, person: Person, now: float, back: str) -> Response:
    """What the person has, and a fresh secret."""
    pending = new_pending(services, person, now)
    if answers.is_navigation(request):
        carried = back if open_target(services, person, back) else ""
        return await receipts.page(services, request, person, pending, back=carried)
    store = services.store
    enrolled = await is_enrolled(services, person.user)
    return answers.as_json(
        200,
        {
            "enrolled": enrolled,
            "factors": [
                {"factor_id": held.factor_id, "label": held.label, "created_at": format_instant(held.created_at)}
                for held in await own_factors(services, person.user, kind="totp")
            ],
            "recovery_codes_left": await store.recovery_left(person.user),
            "current_code_by": list(current_proofs(services)) if enrolled else [],
            "secret": pending.secret,
            "uri": totp.provisioning_uri(pending.secret, person.user, services.settings.service),
            "pending": pending.token,
            "current": await passkeys.current(services, person.user, pending.factor_id),
            "expires_at": format_instant(pending.expires_at),
            "duplicate_codes": await duplicates.elsewhere(services, person, now),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The fields of a POST, "" for what is not there."""

    action: str = ""
    pending: str = ""
    code: str = ""
    current_code: str | Mapping[str, Any] = ""
    label: str = ""
    replace: str = ""
    factor_id: str = ""
    back: str = ""


async def _change(services: Services, request: Request, person: Person, now: float) -> Response:
    asked = await _read(request)
    if asked is None:
        text = say("enroll.send", example='{"pending": "...", "code": "123456"}')
        return answers.refusal(services, request, "bad-request", 400, text)
    change = Change(
        person=person,
        address=(address := services.clients.of(request)),
        seen=seen_from(address, request),
        now=now,
        pending=open_pending(services, person, asked.pending, now),
        code=asked.code,
        current_code=asked.current_code,
        label=asked.label,
        factor_id=asked.factor_id if asked.action == "remove" else asked.replace,
    )
    act = {
        "": authenticators.enroll,
        "remove": authenticators.remove,
        "recovery_codes": authenticators.renew_codes,
    }.get(asked.action)
    if act is None:
        return answers.refusal(services, request, "bad-request", 400, say("enroll.action"))
    outcome = await act(services, change)
    if answers.is_form(request):
        back = asked.back if open_target(services, person, asked.back) else ""
        return await receipts.on_a_page(services, request, change, outcome, part=asked.action, back=back)
    return await receipts.as_document(services, request, change, outcome)


async def _read(request: Request) -> Asked | None:
    """The fields as sent; None for what is no form and no JSON object of text, and for a field that is too long."""
    try:
        found = _parse(request, await request.read_body(MAX_FORM))
    except (BodyTooLarge, orjson.JSONDecodeError):
        return None
    if not isinstance(found, dict):
        return None
    answer = found.get("current_code")
    passkey = answer if isinstance(answer, dict) else None
    fields = {name: found.get(name, "") for name in _FIELDS} | ({"current_code": ""} if passkey is not None else {})
    asked = _checked(fields) if all(isinstance(value, str) for value in fields.values()) else None
    return replace(asked, current_code=passkey) if asked is not None and passkey is not None else asked


def _parse(request: Request, body: bytes) -> Any:
    """A form's single fields, codes without the spaces that a person may type; or JSON."""
    if not answers.is_form(request):
        return orjson.loads(body)
    found: dict[str, Any] = {name: values[0] for name, values in read_fields(body).items() if len(values) == 1}
    if signed := found.pop("current_passkey", ""):
        return found | {"current_code": parse_answer(signed) or ""}
    return found | {name: found[name].replace(" ", "") for name in ("code", "current_code") if name in found}


def _checked(fields: dict[str, str]) -> Asked | None:
    label = fields["label"].strip()
    if len(label) > MAX_LABEL or not label.isprintable():
        return None
    if any(len(fields[name]) > MAX_CODE for name in ("code", "current_code")):
        return None
    return Asked(**{**fields, "label": label})
