"""A code that was presented a second time: said on record, and to the person's other sessions for a while.

Either the person has sent it twice, or somebody has seen it. The note is a count with an end of its own, kept as the
store keeps hits; when it was and from where stands in the trail.
"""

from __future__ import annotations

from ..forwarding import Address
from ..pages import Said, say
from ..state import Challenge
from .services import Services
from .told import Seen, tell
from .visit import Person, shown_user
from .whereabouts import shown_address

NOTE_S = 900
"""How long other sessions are told: a quarter of an hour."""


def alert(services: Services, person: Person, address: Address, *, challenge: Challenge | None) -> bytes:
    """The ``alert/duplicate_code`` record."""
    detail = {
        **shown_address(services, address),
        "session_id": person.session or None,
        "challenge_id": challenge.challenge_id if challenge else None,
        "flow_id": challenge.flow_id if challenge else None,
    }
    return services.journal.notice("alert", "duplicate_code", user=shown_user(services, person.user), detail=detail)


async def remember(services: Services, person: Person, seen: Seen, now: float) -> None:
    """Leave the note for the person's other sessions, and tell the person."""
    for key in _keys(services, person):
        await services.store.hits(key, now=now, window_s=NOTE_S, record=True)
    tell(services, "duplicate_code", person.user, **seen)


async def elsewhere(services: Services, person: Person, now: float) -> int:
    """How many times a code of this person's was presented again lately, from other sessions than this one."""
    if not services.settings.challenge.duplicate_notice:
        return 0
    whole, mine = [
        await services.store.hits(key, now=now, window_s=NOTE_S, record=False) - 1 for key in _keys(services, person)
    ]
    return max(0, whole - mine)


def in_words(count: int) -> Said | None:
    """The note as a sentence, None for none."""
    return say("code.duplicate", count=count, minutes=NOTE_S // 60) if count else None


def _keys(services: Services, person: Person) -> tuple[str, str]:
    digest = services.keyring.digest
    return (
        f"duplicate:{digest('user', person.user)}",
        f"duplicate:{digest('user', person.user)}:{person.session}:{person.device}",
    )
