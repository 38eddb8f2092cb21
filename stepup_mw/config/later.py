"""Keys and values of the contract whose machinery this version does not have: each is refused with a word about it."""

from __future__ import annotations

KEYS: dict[tuple[str, ...], str] = {}
"""By the path of the key, without indexes."""
