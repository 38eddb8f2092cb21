"""The bank's own risk signal, as ``call`` in ``[risk.signals]`` names it: is a large amount about to be sent?"""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson

from ..signals import Subject
from .bank import BankError, parse_cents

LARGE_CENTS = 500_000


def large_amount(subject: Subject) -> bool:
    """Whether the request names 5,000 or more, in its query, its form or its JSON."""
    query = parse_qs(subject.request.query.decode("latin-1")).get("amount", [])
    return any(_is_large(text) for text in (*query, *_in_body(subject.body or b"")))


def _in_body(body: bytes) -> list[str]:
    if body[:1] != b"{":
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=16).get("amount", [])
    try:
        return [str(orjson.loads(body).get("amount", ""))]
    except orjson.JSONDecodeError:
        return []


def _is_large(text: str) -> bool:
    try:
        return parse_cents(text) >= LARGE_CENTS
    except BankError:
        return False
