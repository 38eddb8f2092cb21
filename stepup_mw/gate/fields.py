"""Fields of a form or a query as a client sent them. Reads and never judges; too many fields are none at all."""

from __future__ import annotations

from urllib.parse import parse_qs

MAX_FIELDS = 8


def read_fields(text: bytes) -> dict[str, list[str]]:
    """``application/x-www-form-urlencoded`` as names and their values, in order; {} past MAX_FIELDS."""
    try:
        return parse_qs(text.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except ValueError:
        return {}
