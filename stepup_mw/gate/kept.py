"""What a person was sending when a code was asked for: kept for after it, sealed, for once.

It opens for its challenge, user, session and browser only, and is what the challenge says it is: the digest stands in
the challenge, and whoever can write to the store can make neither. Kept is only what a page of this origin has sent.
"""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple

import orjson

from ..errors import BodyTaken, BodyTooLarge, SealError
from ..state import Challenge, Kept
from . import answers
from .replay import Message, message_of, open_message, pack_message
from .services import Services
from .visit import Person, Visit

KEEP = 8
"""Requests of one user that wait for a code; the oldest go."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_TYPES = frozenset({"", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"})

Reason = Literal["", "elsewhere", "too_large", "type", "app"]
"""Why a request is not kept: another origin may have sent it, it is over the cap, nobody could be shown what it
says, or code of the app asked for the code when it had read of it what is not remembered. "" where there is nothing
to keep."""


def is_kind(content_type: str) -> bool:
    """Whether what such a body says can be shown, so that it can be kept. "" is the type of no body at all."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind in _TYPES or kind.endswith("+json")


class Capture(NamedTuple):
    """A request that is to be kept, with its digest; or ``reason`` why it is not."""

    packed: bytes = b""
    digest: str = ""
    reason: Reason = ""


class Waiting(NamedTuple):
    """How a challenge and what waits for it stand: ``message`` what was kept; ``trouble`` why it is not had: ``gone``
    (taken, or past its end), ``foreign`` (of another browser), ``changed`` (not what was kept)."""

    message: Message | None = None
    trouble: Literal["", "gone", "foreign", "changed"] = ""


async def capture(services: Services, visit: Visit) -> Capture:
    """Read what is to be kept, before its challenge is issued."""
    request = visit.request
    if request.kind != "http" or request.method.upper() in SAFE:
        return Capture()
    if not answers.is_same_origin(request):
        return Capture(reason="elsewhere" if answers.is_navigation(request) else "")
    if not is_kind(request.header_text(b"content-type")):
        return Capture(reason="type")
    try:
        body = await request.read_body(services.settings.challenge.resume_max_body)
    except BodyTaken:
        return Capture(reason="app")
    except BodyTooLarge:
        return Capture(reason="too_large")
    if body and not request.header_text(b"content-type"):
        return Capture(reason="type")
    packed = pack_message(message_of(request, body))
    return Capture(packed=packed, digest=_digest(services, packed))


async def keep(services: Services, challenge: Challenge, device: str, captured: Capture) -> None:
    """Keep what was captured, for the browser of this device id (a keyed hash), until the challenge ends."""
    context = _context(challenge, device, captured.digest)
    kept = Kept(
        kept_id=challenge.challenge_id,
        user=challenge.user,
        sealed=services.keyring.seal("resume", captured.packed, context),
        expires_at=challenge.expires_at,
    )
    await services.store.keep_request(kept, now=challenge.created_at, limit=KEEP)


def note_of(captured: Capture) -> dict[str, str]:
    """What a challenge says of it, for ``Challenge.facts``."""
    if captured.digest:
        return {"kept": captured.digest}
    return {"unkept": captured.reason} if captured.reason else {}


def digest_of(challenge: Challenge) -> str:
    """The digest of what was kept with a challenge, "" for nothing."""
    return str(orjson.loads(challenge.facts).get("kept", ""))


def reason_of(challenge: Challenge) -> str:
    """Why nothing was kept, "" where there was nothing to keep."""
    return str(orjson.loads(challenge.facts).get("unkept", ""))


async def look(services: Services, challenge: Challenge, person: Person) -> Waiting:
    """What waits for the code, for the page to show. Takes nothing."""
    found = await services.store.kept_request(person.user, challenge.challenge_id, now=services.clock())
    return opened(services, challenge, person, found)


def opened(services: Services, challenge: Challenge, person: Person, found: Kept | None) -> Waiting:
    """What was kept, as the store has given it."""
    digest = digest_of(challenge)
    if found is None or not digest:
        return Waiting(trouble="gone" if digest else "")
    try:
        packed = services.keyring.unseal("resume", found.sealed, _context(challenge, person.device, digest))
    except SealError:
        return Waiting(trouble="changed" if challenge.browser else "foreign")
    if _digest(services, packed) != digest:
        return Waiting(trouble="changed")
    return Waiting(message=open_message(packed))


def _digest(services: Services, packed: bytes) -> str:
    return services.keyring.digest("resume", hashlib.sha256(packed).hexdigest())


def _context(challenge: Challenge, device: str, digest: str) -> str:
    """What is sealed in with it: all it is bound to."""
    bound = (challenge.challenge_id, challenge.user, challenge.session, device, challenge.rule_version, digest)
    return "\0".join(f"{len(part)}:{part}" for part in bound)
