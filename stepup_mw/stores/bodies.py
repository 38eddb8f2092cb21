"""The parts of records that never change, as bytes: for stores that keep them as one value. Pure.

StoreUnavailable: a record that cannot be kept. ValueError, LookupError, TypeError: bytes that no one wrote here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from orjson import loads

from ..errors import StoreUnavailable
from ..state import Challenge, ChallengeState, Grant

_CHANGING = ("attempts", "state", "settled_at", "logged")
_BYTES = ("facts", "return_to")
_CHALLENGE = tuple(name for name in Challenge._fields if name not in (*_CHANGING, *_BYTES))


def dumps(values: Sequence[Any]) -> bytes:
    """JSON. StoreUnavailable: text that is no Unicode."""
    try:
        return orjson.dumps(values)
    except TypeError as error:
        raise StoreUnavailable(f"a record cannot be kept: {error}") from error


def spelt(text: str) -> str:
    """A text as it stands in a body. StoreUnavailable: as ``dumps``."""
    return dumps([text])[1:-1].decode()


def format_grant(grant: Grant) -> bytes:
    """Every field but the last, ``uses_left``."""
    return dumps(grant[:-1])


def parse_grant(body: bytes, uses_left: int | None) -> Grant:
    """As ``format_grant`` has written it. The hot path."""
    return Grant._make((*loads(body), uses_left))


def format_challenge(challenge: Challenge) -> bytes:
    """JSON with the length of ``facts`` in front, LF, ``facts``, ``return_to``."""
    head = dumps([len(challenge.facts), *(getattr(challenge, name) for name in _CHALLENGE)])
    return head + b"\n" + challenge.facts + challenge.return_to


def parse_challenge(body: bytes, *, attempts: int, state: ChallengeState, settled_at: float, logged: bool) -> Challenge:
    first, _, rest = body.partition(b"\n")
    length, *values = loads(first)
    known: dict[str, Any] = dict(zip(_CHALLENGE, values, strict=True))
    return Challenge(
        **known,
        facts=rest[:length],
        return_to=rest[length:],
        attempts=attempts,
        state=state,
        settled_at=settled_at,
        logged=logged,
    )
