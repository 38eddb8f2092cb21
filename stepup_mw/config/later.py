"""Keys and values of the contract whose machinery this version does not have: each is refused with a word about it."""

from __future__ import annotations

_LATER = "comes with a later version of stepup-mw; take it out until then"

KEYS: dict[tuple[str, ...], str] = {
    ("geo",): f"[geo] {_LATER}",
}
"""By the path of the key, without indexes."""

SIGNALS: dict[str, str] = {
    "new_country": f"it needs [geo], which {_LATER}",
    "impossible_travel": f"it needs [geo], which {_LATER}",
}

_PROVIDER = 'it comes with a later version of stepup-mw; until then "package.module:callable" takes a function of yours'
PROVIDERS: dict[str, str] = dict.fromkeys(("flask", "django"), _PROVIDER)

FACTORS: dict[str, str] = {"passkey": "it comes with a later version of stepup-mw"}
