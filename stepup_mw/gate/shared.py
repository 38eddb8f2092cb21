"""What services of one store and one secret key have in common: no challenge, and grants where both say so.

A grant of the scope ``service`` names the service it was earned at, and behind it those that it may be used at. Here
the other half is asked: whether this service takes grants of that one. A challenge is its own service's alone, its
lines stand in that one's trail.
"""

from __future__ import annotations

from typing import Literal

import orjson

from ..state import Challenge, Grant
from .services import Services


def named(services: Services, scope: str) -> str:
    """``Grant.service`` of a grant that is earned here: ``bank``, or ``bank ledger`` where it is shared."""
    settings = services.settings
    return " ".join((settings.service, *settings.shared_with)) if scope == "service" else settings.service


def kinship(services: Services, grant: Grant) -> Literal["own", "shared", "foreign"]:
    """Whose grant it is, seen from here."""
    settings = services.settings
    if grant.service == settings.service:
        return "own"
    earned_at, *shared_with = grant.service.split(" ")
    if earned_at == settings.service:
        return "own"
    both = settings.service in shared_with and earned_at in settings.shared_with
    return "shared" if both and grant.scope == "service" else "foreign"


def is_own(services: Services, challenge: Challenge) -> bool:
    """Whether this service has asked it."""
    service: str = orjson.loads(challenge.facts).get("service", services.settings.service)
    return service == services.settings.service


async def own_challenge(services: Services, challenge_id: str) -> Challenge | None:
    """The challenge of that id; None for one of another service, as for none."""
    challenge = await services.store.challenge(challenge_id)
    return challenge if challenge is not None and is_own(services, challenge) else None
