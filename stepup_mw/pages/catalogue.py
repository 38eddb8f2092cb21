"""What pages say, one file a language: ``texts/en.toml``, ``texts/de.toml``. Who speaks names a text and its places.

A text has places in braces, ``"Tries left: {count}."``; one that hangs on a number has two forms, ``one`` and
``other``, chosen by ``count``. Nothing in a text is markup.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple

LANGUAGES = ("en", "de")
"""Those this package speaks, the first where nothing else is asked for."""

MAX_ACCEPTED = 20
"""Entries of an ``Accept-Language`` that are looked at."""

PLACE = re.compile(r"\{([a-z_]+)\}", re.ASCII)

Text = str | Mapping[str, str]


class Said(NamedTuple):
    """A text by its key, with what stands in its places: texts, numbers, or other texts by their keys."""

    key: str
    values: Mapping[str, Any] = {}


def say(key: str, **values: Any) -> Said:
    """``say("code.wrong", count=3)``."""
    return Said(key, values)


class Catalogue:
    """The texts of one language. ``ready``: those without places, as they stand in HTML."""

    def __init__(self, language: str, texts: Mapping[str, Text]) -> None:
        self.language = language
        self.texts = texts
        whole = {key: text for key, text in texts.items() if isinstance(text, str) and not places_of(text)}
        self.ready = {key: escape(text, quote=True) for key, text in whole.items()}

    def said(self, said: Said) -> str:
        """A text with its places filled."""
        return self.text(said.key, lambda place: said.values.get(place, ""))

    def text(self, key: str, look: Callable[[str], Any]) -> str:
        """The text of ``key``; ``look`` gives the value of a place. KeyError for a key that no catalogue has."""
        text = self.texts[key]
        if not isinstance(text, str):
            text = text["one" if look("count") == 1 else "other"]
        return PLACE.sub(lambda place: self._filled(look(place[1])), text)

    def _filled(self, value: Any) -> str:
        return self.said(value) if isinstance(value, Said) else str(value)


def read_texts(source: str) -> dict[str, Text]:
    """A catalogue file as flat keys: ``[code] wrong = "…"`` is ``code.wrong``. ValueError for what is no such file."""
    flat: dict[str, Text] = {}
    _flatten(tomllib.loads(source), "", flat)
    return flat


def _flatten(table: Mapping[str, Any], before: str, flat: dict[str, Text]) -> None:
    for name, value in table.items():
        key = f"{before}{name}"
        if isinstance(value, str) or (isinstance(value, dict) and set(value) == {"one", "other"}):
            flat[key] = value
        elif isinstance(value, dict):
            _flatten(value, f"{key}.", flat)
        else:
            raise ValueError(f"{key} is no text")


@cache
def built_in(language: str) -> Catalogue:
    """The catalogue of this package for one of LANGUAGES."""
    source = files(__package__).joinpath(f"texts/{language}.toml").read_text("utf-8")
    return Catalogue(language, read_texts(source))


def english(said: Said) -> str:
    """A text as programs read it, whatever the person's language and the configuration's own texts."""
    return built_in("en").said(said)


def places_of(text: Text) -> frozenset[str]:
    """The places of a text, over all of its forms."""
    forms = (text,) if isinstance(text, str) else text.values()
    return frozenset(place for form in forms for place in PLACE.findall(form))


def choose(accepted: str, spoken: Mapping[str, Catalogue], default: str) -> Catalogue:
    """The catalogue for an ``Accept-Language`` (RFC 9110 section 12.5.4): the best that is spoken, else ``default``."""
    best, weight = default, 0.0
    for entry in accepted[:512].split(",")[:MAX_ACCEPTED]:
        tag, _, rest = entry.partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(rest)
        if language in spoken and quality > weight:
            best, weight = language, quality
    return spoken[best]


def _quality(text: str) -> float:
    name, _, number = text.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    return float(number) if re.fullmatch(r"[01](?:\.[0-9]{0,3})?", number.strip(), re.ASCII) else 0.0
