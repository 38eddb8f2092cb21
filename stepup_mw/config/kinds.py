"""The kinds of values a key can take: what is allowed in words, as JSON Schema, and how it is read.

Every refusal is worded here, once: ``found "alway"; allowed are "auto", "always", "never". Did you mean "always"?``
A kind reads a value of a file into the value the program uses ("5m" to 300) and never touches the world.
"""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ..encoding import format_duration, format_size, parse_duration, parse_size, safe_text

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
"""How every table is read: no unknown key, no value of another type."""

REFUSED = "stepup_refused"
"""The pydantic error type of a worded refusal; ``ctx["flaws"]`` holds ``(path below the value, message)`` pairs."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://", re.ASCII)
_SHOWN = 60
_LOOSE_DURATION = re.compile(r" *([0-9]{1,9}) *([smhd])[a-z]* *", re.ASCII | re.IGNORECASE)
_LOOSE_SIZE = re.compile(r" *([0-9]{1,12}) *(k|m|g|ki|mi|gi|kb|mb|gb|kib|mib|gib) *", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {
    "k": "KB",
    "m": "MB",
    "g": "GB",
    "kb": "KB",
    "mb": "MB",
    "gb": "GB",
    "ki": "KiB",
    "mi": "MiB",
    "gi": "GiB",
}


def refuse(message: str) -> PydanticCustomError:
    """An error to raise: this value cannot be, and why."""
    return refuse_all([((), message)])


def refuse_all(flaws: Iterable[tuple[tuple[str | int, ...], str]]) -> PydanticCustomError:
    """Several at once, each with the path below the value that is judged."""
    return PydanticCustomError(REFUSED, "refused", {"flaws": list(flaws)})


def found(value: object) -> str:
    """A value as a message shows it: short, safe on a terminal, containers by what they are."""
    if isinstance(value, str):
        return f'"{safe_text(value, _SHOWN)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() < 128 else "a huge number"
    return repr(value) if isinstance(value, float) else _found_whole(value)


def _found_quietly(value: str) -> str:
    """What may be shown of a text that could hold a secret: the scheme of an address, and nothing else."""
    scheme = _SCHEME.match(value)
    if scheme is None:
        return "another text"
    return f'"{scheme[0]}"' if scheme[0] == value else f'"{scheme[0]}…"'


def _found_whole(value: object) -> str:
    match value:
        case list():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case None:
            return "nothing"
        case datetime.date() | datetime.time():
            return "a date or time"
    return f"a value of type {safe_text(type(value).__name__, 40)}"


def suggest(word: object, choices: Iterable[str]) -> str:
    """`` Did you mean "x"?`` where a choice is close to the word, else nothing."""
    if not isinstance(word, str):
        return ""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word[:_SHOWN].lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    close = close or difflib.get_close_matches(word[:_SHOWN].lower(), by_lower, n=1, cutoff=0.6)
    return f' Did you mean "{by_lower[close[0]]}"?' if close else ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """Pydantic metadata. ``read`` takes the value of the file, of any type, and raises ValueError (then ``allowed``
    makes the message) or ``refuse(...)``. ``quiet`` values are never shown: they could be secrets. ``guess`` says what
    a refused value may have meant."""

    allowed: str
    schema: Mapping[str, Any]
    read: Callable[[Any], Any]
    quiet: bool = False
    guess: Callable[[Any], str | None] = lambda _value: None

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._check)

    def __get_pydantic_json_schema__(self, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)

    def _check(self, value: Any) -> Any:
        try:
            return self.read(value)
        except PydanticCustomError:
            raise
        except ValueError:
            shown = _found_quietly(value) if self.quiet and isinstance(value, str) else found(value)
            raise refuse(f"found {shown}; allowed is {self.allowed}{self._hint(value)}") from None

    def _hint(self, value: Any) -> str:
        guess = self.guess(value)
        try:
            self.read(guess)
        except ValueError:
            return ""
        return f'. Did you mean "{guess}"?'


def whole(low: int, high: int) -> Kind:
    """A whole number from low to high."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError
        return value

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Kind(allowed=f"a whole number from {low} to {high}", schema=schema, read=read)


def number(low: float, high: float) -> Kind:
    """A number from low to high, with or without a fraction."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError
        return float(value)

    schema = {"type": "number", "minimum": low, "maximum": high}
    return Kind(allowed=f"a number from {low} to {high}", schema=schema, read=read)


def _read_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


FLAG = Kind(allowed="true or false", schema={"type": "boolean"}, read=_read_flag)


def choice(*values: str, why: Mapping[str, str] | None = None) -> Kind:
    """One of the values. ``why`` words the refusal of others that a person could well write."""
    listed = ", ".join(f'"{value}"' for value in values)

    def read(value: Any) -> str:
        if isinstance(value, str) and value in values:
            return value
        if isinstance(value, str) and why is not None and value in why:
            raise refuse(f'found "{value}": {why[value]}; allowed now: {listed}')
        verb = "are" if len(values) > 1 else "is"
        raise refuse(f"found {found(value)}; allowed {verb} {listed}.{suggest(value, values)}".removesuffix("."))

    return Kind(allowed=listed, schema={"type": "string", "enum": list(values)}, read=read)


def text(
    allowed: str,
    read: Callable[[str], Any],
    *,
    pattern: str | None = None,
    quiet: bool = False,
    guess: Callable[[Any], str | None] = lambda _value: None,
    **schema: Any,
) -> Kind:
    """A string that ``read`` accepts."""

    def read_text(value: Any) -> Any:
        if not isinstance(value, str):
            raise ValueError
        return read(value)

    patterned = {"pattern": pattern} if pattern is not None else {}
    schema = {"type": "string", **patterned, **schema}
    return Kind(allowed=allowed, schema=schema, read=read_text, quiet=quiet, guess=guess)


def duration(low: str, high: str, *, never: bool = False) -> Kind:
    """``"5m"`` to 300, within bounds; ``"never"`` to None where that is allowed."""
    low_s, high_s = parse_duration(low), parse_duration(high)

    def read(value: str) -> int | None:
        if never and value == "never":
            return None
        return _bounded(parse_duration(value), low_s, high_s)

    allowed = f'a duration such as "5m" (s, m, h or d), from "{low}" to "{high}"' + _or_never(never)
    pattern = r"^(0|[1-9][0-9]{0,9})(s|m|h|d)$" if not never else r"^((0|[1-9][0-9]{0,9})(s|m|h|d)|never)$"
    return text(allowed, read, pattern=pattern, guess=_guess_duration)


def size(low: str, high: str, *, never: bool = False) -> Kind:
    """``"64KiB"`` to 65536, within bounds; ``"never"`` to None where that is allowed."""
    low_b, high_b = parse_size(low), parse_size(high)

    def read(value: str) -> int | None:
        if never and value == "never":
            return None
        return _bounded(parse_size(value), low_b, high_b)

    allowed = f'a size such as "64KiB" (B, KB, MB, GB, KiB, MiB or GiB), from "{low}" to "{high}"' + _or_never(never)
    unit = r"(0|[1-9][0-9]{0,14})(B|KB|MB|GB|KiB|MiB|GiB)"
    pattern = f"^{unit}$" if not never else f"^({unit}|never)$"
    return text(allowed, read, pattern=pattern, guess=_guess_size)


def _guess_duration(value: Any) -> str | None:
    """300 to "300s", "5 minutes" to "5m"."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1_000_000_000:
        return format_duration(value)
    match = _LOOSE_DURATION.fullmatch(value if isinstance(value, str) else "")
    return f"{int(match[1])}{match[2].lower()}" if match else None


def _guess_size(value: Any) -> str | None:
    """65536 to "64KiB", "64 kib" to "64KiB"."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1_000_000_000_000:
        return format_size(value)
    match = _LOOSE_SIZE.fullmatch(value if isinstance(value, str) else "")
    return f"{int(match[1])}{_SIZE_UNITS[match[2].lower()[:2]]}" if match else None


def _bounded(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError
    return value


def _or_never(never: bool) -> str:
    return ', or "never"' if never else ""
