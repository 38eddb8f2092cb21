"""Where a browser was going when it was sent to enroll: a path on this origin, sealed, for queries can hold secrets."""

from __future__ import annotations

from ..encoding import b64url_decode, b64url_encode
from ..errors import SealError
from .services import Services
from .visit import Person

MAX_TARGET = 2048
"""Characters of a target that is carried along; a longer one is not."""


def seal_target(services: Services, person: Person, target: str) -> str:
    """A token for a query or a form field, "" where there is nothing to carry."""
    if not target or len(target) > MAX_TARGET:
        return ""
    return b64url_encode(services.keyring.seal("return_to", target.encode("ascii"), _context(person)))


def open_target(services: Services, person: Person, token: str) -> str:
    """The path inside; "" for what this service did not seal for this person and session."""
    try:
        return services.keyring.unseal("return_to", b64url_decode(token), _context(person)).decode("ascii")
    except (SealError, ValueError):
        return ""


def _context(person: Person) -> str:
    return f"enroll\0{person.user}\0{person.session}"
