"""``security`` under the prefix: what stands between a person's account and somebody else, and what happened lately.

Factors and recovery codes, with the way to their pages; the devices that proved themselves, the grants held, the last
lines about the person. Forgetting a device and ending a grant are proven by a code, within the account's one budget,
and on record before they are done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from .. import revocation
from ..encoding import format_instant, parse_timestamp
from ..errors import BodyTooLarge
from ..messages import Headers, Request, Response
from ..pages import Said, say
from ..state import Grant
from . import answers, change, passkeys, receipts, wording
from .change import Change, Outcome, current_proofs
from .codes import own_factors
from .fields import read_fields
from .happened import is_told, route_of, told
from .holdings import shown
from .owner import SEEN, meet
from .services import Services
from .told import seen_from
from .visit import Person

MAX_BODY = 16 * 1024
EVENTS = 200
"""Lines of the person's looked at; SHOWN of them are shown."""

SHOWN = 20


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """``GET security`` and ``POST security``."""
    if rest:
        return answers.not_found(services, request)
    person = await meet(services, request, (*SEEN, "POST"))
    if isinstance(person, Response):
        return person
    if request.method.upper() not in SEEN:
        return await _post(services, request, person)
    if answers.is_navigation(request):
        return await _page(services, request, person)
    return answers.as_json(200, await _document(services, person))


async def _post(services: Services, request: Request, person: Person) -> Response:
    sent = await _read(request)
    if sent is None:
        text = say("security.send", example='{"forget": ["…"], "revoke": ["…"], "current_code": "123456"}')
        return answers.refusal(services, request, "bad-request", 400, text)
    wish = Change(
        person=person,
        address=(address := services.clients.of(request)),
        seen=seen_from(address, request),
        now=services.clock(),
        current_code=sent["current_code"][0] if sent["current_code"] else "",
    )
    proven = await change.count_and_prove(services, wish)
    if isinstance(proven, Outcome):
        return await _refused(services, request, wish, proven, ticked={*sent["forget"], *sent["revoke"]})
    for device in sent["forget"]:
        await change.write(services, wish, "device_forgotten", device_id=device, proof=proven.method)
        await services.store.forget_sighting(person.user, "device", device)
    for grant_id in sent["revoke"]:
        await revocation.revoke_grants(services, person.user, grant_id, by="owner")
    await change.forgive(services, wish, proof=proven.method)
    if answers.is_form(request):
        return await _page(services, request, person, done=say("security.done"))
    return answers.as_json(200, await _document(services, person))


async def _refused(
    services: Services, request: Request, wish: Change, outcome: Outcome, *, ticked: Collection[str]
) -> Response:
    if not answers.is_form(request):
        return await receipts.as_document(services, request, wish, outcome)
    status, text, headers = receipts.refused(services, outcome)
    return await _page(services, request, wish.person, error=text, ticked=ticked, status=status, headers=headers)


async def _read(request: Request) -> dict[str, list[str]] | None:
    """The fields as sent, each a list of texts; None for another shape, or where nothing is to be done."""
    try:
        body = await request.read_body(MAX_BODY)
        sent: Any = dict(read_fields(body)) if answers.is_form(request) else orjson.loads(body)
    except (BodyTooLarge, orjson.JSONDecodeError):
        return None
    if not isinstance(sent, dict):
        return None
    code = sent.get("current_code", [])
    found = {
        "forget": sent.get("forget", []),
        "revoke": sent.get("revoke", []),
        "current_code": [code] if isinstance(code, str) else code,
    }
    for texts in found.values():
        if not isinstance(texts, list) or not all(isinstance(text, str) and len(text) <= 64 for text in texts):
            return None
    found["current_code"] = [text.replace(" ", "") for text in found["current_code"]]
    return found if found["forget"] or found["revoke"] else None


async def _document(services: Services, person: Person) -> dict[str, Any]:
    lines = await _lines(services, person)
    return {
        "authenticators": len(await own_factors(services, person.user, kind="totp")),
        "passkeys": len(await passkeys.held(services, person.user)),
        "recovery_codes_left": await services.store.recovery_left(person.user),
        "devices": [
            {"device_id": line["origin"]["device_id"], "user_agent": line["origin"]["user_agent"],
             "last_seen": line["timestamp"], "this": line["origin"]["device_id"] == person.device}
            for line in await _devices(services, person, lines)
        ],
        "grants": [shown(grant) for grant in await _grants(services, person)],
        "events": [
            {name: line[name] for name in ("timestamp", "event_type", "phase", "event_id")}
            | {"status": line.get("status"), "route": route_of(line), "ip": (line.get("origin") or {}).get("ip")}
            for line in lines[:SHOWN]
        ],
    }  # fmt: skip


async def _lines(services: Services, person: Person) -> list[Mapping[str, Any]]:
    """The last lines about the person, newest first, under every name that lines may give them."""
    names = {person.user, *(name for _, name in services.keyring.pseudonyms(person.user))}
    return [line for line in await services.journal.recent(names, limit=EVENTS) if is_told(line)]


async def _devices(services: Services, person: Person, lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The line in which each device that is still known was seen last."""
    latest: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        device = (line.get("origin") or {}).get("device_id")
        if device:
            latest.setdefault(device, line)
    return [
        line for device, line in latest.items() if (await services.store.sighting(person.user, "device", device)).known
    ]


async def _grants(services: Services, person: Person) -> Sequence[Grant]:
    return await services.store.grants(person.user, now=services.clock())


async def _page(
    services: Services,
    request: Request,
    person: Person,
    *,
    done: Said | None = None,
    error: Said | None = None,
    ticked: Collection[str] = (),
    status: int = 200,
    headers: Headers = (),
) -> Response:
    lines = await _lines(services, person)
    left = await services.store.recovery_left(person.user)
    devices = await _devices(services, person, lines)
    grants = await _grants(services, person)
    totp, keys = await own_factors(services, person.user, kind="totp"), await passkeys.held(services, person.user)
    view = {
        "user": person.user,
        "url": answers.endpoint(services, request, "security"),
        "enroll_url": answers.endpoint(services, request, "enroll"),
        "authenticators": [{"name": each.label or say("enroll.unnamed"), "since": _since(each.created_at)}
                           for each in totp],
        "passkeys_url": answers.endpoint(services, request, "passkeys") if services.settings.passkeys else "",
        "passkeys": [{"name": each.factor.label or say("passkey.unnamed"), "since": _since(each.factor.created_at)}
                     for each in keys],
        "left": say("enroll.left", count=left) if left else say("enroll.left_none"),
        "devices": [_device(line, person, ticked) for line in devices],
        "grants": [_grant(grant, ticked) for grant in grants],
        "removable": {"part": "security"} if devices or grants else None,
        "needs": say("enroll.needs_or_recovery" if "recovery_code" in current_proofs(services) else "enroll.needs"),
        "events": [told(line) for line in lines[:SHOWN]],
        "done": done,
        "error": error,
    }  # fmt: skip
    title = say("security.title")
    return answers.page(services, request, "security", view, title=title, status=status, headers=headers)


def _since(seconds: float) -> Said:
    return say("enroll.since", day=wording.day(seconds))


def _device(line: Mapping[str, Any], person: Person, ticked: Collection[str]) -> dict[str, object]:
    origin, seen = line["origin"], parse_timestamp(line["timestamp"])
    return {
        "device_id": origin["device_id"],
        "name": wording.device(origin.get("user_agent") or ""),
        "this": origin["device_id"] == person.device,
        "ticked": origin["device_id"] in ticked,
        "seen": wording.clock(seen),
        "seen_day": wording.day(seen),
        "seen_iso": line["timestamp"],
    }


def _grant(grant: Grant, ticked: Collection[str]) -> dict[str, object]:
    return {
        "grant_id": grant.grant_id,
        "name": grant.rule if grant.scope != "service" else say("security.whole_service"),
        "ends": wording.clock(grant.expires_at),
        "ends_iso": format_instant(grant.expires_at),
        "ticked": grant.grant_id in ticked,
    }
