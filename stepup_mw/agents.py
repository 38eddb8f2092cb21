"""Browsers in words: ``Chrome 141 on Windows``, from a user agent, by the tables of ``ua-parser``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .encoding import safe_text
from .errors import MissingExtra
from .origin import MAX_AGENT

_MAX_WORDS = 120
_WARM = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0"


def make_describe() -> Callable[[str], str | None]:
    """A function from a user agent to its words, None where they are not known. The tables are loaded now: the first
    parse takes a tenth of a second, which no request should wait for."""
    try:
        from ua_parser import parse  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra("[device] describe", "ua-parser", "device") from error

    def describe(agent: str) -> str | None:
        found = parse(agent[:MAX_AGENT])
        browser, system = _named(found.user_agent), _named(found.os)
        return safe_text(f"{browser} on {system}" if browser and system else browser or system, _MAX_WORDS) or None

    describe(_WARM)
    return describe


def _named(part: Any) -> str:
    """``Chrome 141``."""
    return " ".join(word for word in (part.family, part.major) if word) if part is not None else ""
