"""What a person holds: their grants, listed and given up, under ``grants``. GET changes nothing.

A grant is named by its id, which opens nothing: a token is a signature over it. All grants of the person are theirs
to see and to end, also those of another session or browser.
"""

from __future__ import annotations

from typing import Any

from .. import revocation
from ..encoding import format_instant
from ..messages import Request, Response
from ..pages import say
from ..state import Grant
from . import answers
from .cookies import grants_cookie
from .grants import held_ids
from .owner import SEEN, meet
from .services import Services
from .visit import Person


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """``GET grants``, ``DELETE grants`` and ``DELETE grants/{id}``."""
    if len(rest) > 1:
        return answers.not_found(services, request)
    person = await meet(services, request, ("DELETE",) if rest else (*SEEN, "DELETE"))
    if isinstance(person, Response):
        return person
    if request.method.upper() in SEEN:
        return await _list(services, request, person)
    return await _give_up(services, request, person, rest[0] if rest else "")


async def _list(services: Services, request: Request, person: Person) -> Response:
    held = held_ids(services, request)
    found = await services.store.grants(person.user, now=services.clock())
    return answers.as_json(200, {"grants": [shown(grant) | {"current": grant.grant_id in held} for grant in found]})


async def _give_up(services: Services, request: Request, person: Person, grant_id: str) -> Response:
    count = await revocation.revoke_grants(services, person.user, grant_id or None, by="owner")
    if grant_id and not count:
        return answers.refusal(services, request, "grant-gone", 404, say("refused.no_grant"))
    headers = answers.NO_HEADERS if grant_id else (grants_cookie(services, (), 0),)
    return answers.as_json(200, {"revoked": count}, headers=headers)


def shown(grant: Grant) -> dict[str, Any]:
    """A grant as its owner and an operator see it."""
    return {
        "id": grant.grant_id,
        "scope": grant.scope,
        "route": grant.rule,
        "method": grant.method,
        "proved_at": format_instant(grant.proved_at),
        "expires_at": format_instant(grant.expires_at),
    }
