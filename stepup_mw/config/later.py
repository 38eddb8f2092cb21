"""Keys and values of the contract whose machinery this version does not have: each is refused with a word about it."""

from __future__ import annotations

KEYS: dict[tuple[str, ...], str] = {}
"""By the path of the key, without indexes."""

_PROVIDER = 'it comes with a later version of stepup-mw; until then "package.module:callable" takes a function of yours'
PROVIDERS: dict[str, str] = dict.fromkeys(("flask", "django"), _PROVIDER)
