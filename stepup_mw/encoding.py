"""Small, exact encodings: base64, timestamps, durations, sizes, identifiers and text that is safe in a line.

Each ``format_x`` has a ``parse_x`` that takes it back. Nothing here reads the clock or the random device.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from functools import lru_cache

VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""A random hex digit to one that says the variant of RFC 9562 in its two high bits."""

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNITS_B = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DURATION = re.compile(r"([1-9][0-9]{0,9}|0)(s|m|h|d)", re.ASCII)
_SIZE = re.compile(r"([1-9][0-9]{0,14}|0)(B|KB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def b64url_encode(data: bytes) -> str:
    """Base64 with the URL alphabet and no padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def b64url_decode(text: str) -> bytes:
    """The one canonical spelling only; anything else is a ValueError, so that a value has a single name."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64url") from None
    if b64url_encode(data) != text:
        raise ValueError("not canonical base64url")
    return data


def format_timestamp(seconds: float) -> str:
    """Unix seconds to RFC 3339 in UTC with microseconds: ``2026-11-23T07:25:00.123456Z``."""
    whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_format_second(whole)}.{rest:06d}Z"


@lru_cache(maxsize=64)
def _format_second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def format_instant(seconds: float) -> str:
    """Unix seconds to RFC 3339 in UTC, whole seconds: ``2026-11-23T07:30:00Z``, as problem bodies show it."""
    return f"{_format_second(int(seconds))}Z"


def parse_timestamp(text: str) -> float:
    """RFC 3339 back to Unix seconds. A ValueError without an offset or on anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a timestamp needs an offset, such as Z")
    return moment.timestamp()


def parse_duration(text: str) -> int:
    """``"90s"``, ``"5m"``, ``"1h"``, ``"400d"`` to seconds."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError('a duration is a whole number and a unit, s, m, h or d: "5m"')
    return int(match[1]) * _UNITS_S[match[2]]


def format_duration(seconds: int) -> str:
    """Seconds to the largest unit that divides them: 300 to ``"5m"``."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS_S[unit] == 0:
            return f"{seconds // _UNITS_S[unit]}{unit}"
    return f"{seconds}s"


def rough_duration(seconds: int) -> str:
    """For a person, in the largest unit of which there are two: 9000 to ``"2 hours"``, 574193 to ``"6 days"``."""
    for name, unit in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def parse_size(text: str) -> int:
    """``"64KiB"``, ``"256MiB"``, ``"10MB"`` to bytes."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError('a size is a whole number and a unit, B, KB, MB, GB, KiB, MiB or GiB: "64KiB"')
    return int(match[1]) * _UNITS_B[match[2]]


def format_size(size: int) -> str:
    """Bytes to the largest binary unit that divides them: 65536 to ``"64KiB"``."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _UNITS_B[unit] == 0:
            return f"{size // _UNITS_B[unit]}{unit}"
    return f"{size}B"


def format_uuid7(now: float, random: bytes) -> str:
    """A version 7 UUID (RFC 9562 section 5.7) from Unix seconds and 10 random bytes: sorts by time."""
    return format_uuid7_stamp(int(now * 1000)) + format_uuid7_noise(random.hex())


def format_uuid7_stamp(millisecond: int) -> str:
    """The first two groups of a version 7 UUID, which are its time."""
    digits = f"{millisecond & 0xFFFFFFFFFFFF:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def format_uuid7_noise(digits: str) -> str:
    """The rest, from 20 random hex digits."""
    return f"-7{digits[:3]}-{VARIANTS[digits[19]]}{digits[3:6]}-{digits[6:18]}"


def safe_text(text: str, limit: int) -> str:
    """Text for a line or a terminal: at most ``limit`` characters, controls, C1, bidi marks, line separators and
    lone surrogates spelt as ``\\u….`` so that they show and do nothing."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
