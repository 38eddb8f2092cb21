"""``passkeys`` under the prefix: what passkeys a person has, one more, one less; as a page and as JSON.

GET makes nothing: the options for a new passkey are bound to a sealed token that lives with the person, as a fresh
TOTP secret is. Only a POST from this site, with the browser's answer and the proof of what the person has, keeps one.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..encoding import format_instant
from ..errors import BodyTooLarge
from ..messages import Headers, Request, Response
from ..pages import Said, say
from ..passkeys import MAX_ANSWER, creation_options, parse_answer
from . import answers, authenticators, passkeys, receipts, registering, wording
from .change import Change
from .codes import MAX_LABEL, is_enrolled, own_factors
from .fields import read_fields
from .owner import SEEN, meet
from .pending import new_pending, open_pending
from .services import Services
from .told import seen_from
from .visit import Person

MAX_BODY = 2 * MAX_ANSWER
"""Bytes of a body: the answer that made a passkey, and one that proves the change."""


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """``GET passkeys``, ``POST passkeys`` and ``DELETE passkeys/{id}``."""
    if len(rest) > 1 or passkeys.party_of(services) is None:
        return answers.not_found(services, request)
    person = await meet(services, request, ("DELETE",) if rest else (*SEEN, "POST"))
    if isinstance(person, Response):
        return person
    now = services.clock()
    if not await authenticators.may_change(services, person.user, now):
        return receipts.not_yours(services, request)
    if request.method.upper() in SEEN:
        return await _show(services, request, person, now)
    return await _post(services, request, person, now, rest[0] if rest else "")


async def _post(services: Services, request: Request, person: Person, now: float, factor_id: str) -> Response:
    sent = await _read(request)
    if sent is None:
        return answers.refusal(services, request, "bad-request", 400, _WANTED)
    factor_id = factor_id or sent["factor_id"]
    change = _change(services, request, person, now, sent, factor_id)
    if factor_id:
        outcome = await registering.give_up(services, change)
    else:
        outcome = await registering.register(services, change, sent["credential"])
    if not answers.is_form(request):
        return await receipts.as_document(services, request, change, outcome)
    if receipts.is_done(outcome):
        return receipts.done(services, request, outcome, target="", begun=("passkeys", say("codes.onward_passkeys")))
    status, text, headers = receipts.refused(services, outcome)
    return await _page(services, request, person, now, error=text, status=status, headers=headers)


_WANTED = say("passkey.send", example='{"pending": "…", "credential": {…}, "label": "…", "current_code": "123456"}')


async def _show(services: Services, request: Request, person: Person, now: float) -> Response:
    if answers.is_navigation(request):
        return await _page(services, request, person, now)
    return answers.as_json(200, await offered(services, person, now))


async def _page(
    services: Services,
    request: Request,
    person: Person,
    now: float,
    *,
    error: Said | None = None,
    status: int = 200,
    headers: Headers = (),
) -> Response:
    """The person's passkeys, with a form for one more and, where that is not the last of all, for one less."""
    found = await offered(services, person, now)
    by_code = bool(found["current_code_by"]) and found["current"] is None
    view = {
        "user": person.user,
        "url": answers.endpoint(services, request, "passkeys"),
        "held": [
            {
                "factor_id": each.factor.factor_id,
                "name": each.factor.label or say("passkey.unnamed"),
                "since": say("enroll.since", day=wording.day(each.factor.created_at)),
            }
            for each in await passkeys.held(services, person.user)
        ],
        "pending": found["pending"],
        "creation": orjson.dumps(found["creation"]["publicKey"]).decode(),
        "current": orjson.dumps(found["current"]["publicKey"]).decode() if found["current"] else "",
        "by_code": {"part": "add"} if by_code else None,
        "removable": len(await own_factors(services, person.user)) > 1 and bool(found["current"]),
        "error": error,
    }
    title = say("passkey.title")
    return answers.page(services, request, "passkeys", view, title=title, status=status, headers=headers)


async def offered(services: Services, person: Person, now: float) -> dict[str, Any]:
    """What the person has, and what a browser is given: ``creation`` for a new passkey, ``current`` to prove that."""
    party, pending = passkeys.party_of(services), new_pending(services, person, now)
    mine = await passkeys.held(services, person.user)
    enrolled = await is_enrolled(services, person.user)
    handle = services.keyring.digest("passkey", f"user\0{person.user}").encode("ascii")
    challenge = passkeys.signed_for(services, "creation", pending.factor_id)
    return {
        "passkeys": [
            {
                "factor_id": each.factor.factor_id,
                "label": each.factor.label,
                "created_at": format_instant(each.factor.created_at),
                "backed_up": each.passkey.backed_up,
            }
            for each in mine
        ],
        "pending": pending.token,
        "expires_at": format_instant(pending.expires_at),
        "creation": {
            "publicKey": creation_options(
                party,
                user_handle=handle,
                user=person.user,
                challenge=challenge,
                held=[each.passkey for each in mine],
            )
        }
        if party is not None
        else None,
        "current_code_by": list(registering.proofs_for(services, holds=bool(mine))) if enrolled else [],
        "current": await passkeys.current(services, person.user, pending.factor_id),
    }


def _change(
    services: Services, request: Request, person: Person, now: float, sent: dict[str, Any], factor_id: str
) -> Change:
    return Change(
        person=person,
        address=(address := services.clients.of(request)),
        seen=seen_from(address, request),
        now=now,
        pending=open_pending(services, person, sent["pending"], now),
        current_code=sent["current_code"],
        label=sent["label"],
        factor_id=factor_id,
    )


async def _read(request: Request) -> dict[str, Any] | None:
    """The fields as sent; None for what is not of their shape."""
    try:
        body = await request.read_body(MAX_BODY)
        sent: Any = _fields(body) if answers.is_form(request) else orjson.loads(body)
    except (BodyTooLarge, orjson.JSONDecodeError):
        return None
    if not isinstance(sent, dict):
        return None
    found = {"pending": "", "credential": {}, "label": "", "current_code": "", "factor_id": ""} | sent
    label: Any = found["label"]
    code: Any = found["current_code"]
    texts = all(isinstance(found[name], str) for name in ("pending", "label", "factor_id"))
    if not texts or not isinstance(found["credential"], dict):
        return None
    if not (isinstance(code, dict) or (isinstance(code, str) and len(code) <= 64)):
        return None
    found["label"] = label.strip()
    return found if len(label.strip()) <= MAX_LABEL and label.strip().isprintable() else None


def _fields(body: bytes) -> dict[str, Any]:
    """A form's single fields, the answers of passkeys read."""
    found: dict[str, Any] = {name: values[0] for name, values in read_fields(body).items() if len(values) == 1}
    if signed := found.pop("current_passkey", ""):
        found["current_code"] = parse_answer(signed) or ""
    found["current_code"] = found.get("current_code", "")
    if isinstance(found["current_code"], str):
        found["current_code"] = found["current_code"].replace(" ", "")
    found["credential"] = parse_answer(found.get("credential", "")) or {}
    return found
