"""Times, durations, places and devices as a page says them. The sentences themselves stand in the catalogues."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..encoding import safe_text
from ..pages import Said, say
from ..policy import Rule
from ..state import FOREVER

_MONTHS = ("january", "february", "march", "april", "may", "june",
           "july", "august", "september", "october", "november", "december")  # fmt: skip
_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox"),
             ("FxiOS", "Firefox"), ("CriOS", "Chrome"), ("Chrome", "Chrome"), ("Safari", "Safari"))  # fmt: skip
_SYSTEMS = (("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
            ("Mac OS", "Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"))  # fmt: skip
"""What stands in a user agent, first match first, and what people call it."""

_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9 ._+-]{0,39}", re.ASCII)


def clock(seconds: float) -> str:
    """``07:30:00 UTC``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")


def day(seconds: float) -> Said:
    """``23 November 2026``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return say("date.day", day=moment.day, month=say(f"date.{_MONTHS[moment.month - 1]}"), year=moment.year)


def lasts(rule: Rule) -> Said:
    """How long a proof lasts: ``for 5 minutes``."""
    if rule.grant == "request":
        return say("lasts.request")
    name, seconds = next((name, size) for name, size in _UNITS if rule.max_age_s % size == 0)
    return say(f"lasts.{name}", count=rule.max_age_s // seconds)


def device(user_agent: str) -> str | Said:
    """``Firefox on Windows``; the first word of a program that is no browser."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return say("origin.device", browser=browser, system=system)
    product = _PRODUCT.match(user_agent)
    return browser or system or (safe_text(product[0].strip(), 40) if product else say("origin.unknown_device"))


def origin(shared: Mapping[str, Any]) -> Said:
    """Where a request came from, by the ``origin`` object of its line."""
    return say(
        "origin.from",
        device=device(shared.get("user_agent") or ""),
        address=shared.get("ip") or say("origin.unknown_address"),
    )


def lock(wait_s: int, until: float) -> Said:
    """A lock, and when it ends."""
    if until >= FOREVER:
        return say("code.locked_for_ever")
    return say("code.locked", seconds=wait_s, time=clock(until))


def skew(drift_s: int, now: float) -> Said:
    """An authenticator's clock that is ``drift_s`` seconds off, and what the time is here."""
    return say("code.ahead" if drift_s > 0 else "code.behind", seconds=abs(drift_s), time=clock(now))


def fields(told: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the app says of its action, one after the other; the names are the app's own."""
    return [{"name": name, "value": "" if value is None else str(value)} for name, value in told.items()]
