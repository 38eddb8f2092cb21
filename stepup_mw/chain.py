"""The chain of lines: how a record takes its place, what a line hashes to, and what a line may look like.

    {"prev":"<base64 leaf hash of the line before>","seq":17,"timestamp":...,"writer":{...}}

``leaf = SHA-256(0x00 || line without its LF)`` (RFC 6962 section 2.1); ``prev`` is the leaf of the line before, 32 zero
bytes for the first. ``seq`` counts from 0 and is the index in the tree. Hashes are over the bytes as written, so
that nothing has to be serialised again to check them. Nothing here touches a file.
"""

from __future__ import annotations

import json
import math
import re
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from .errors import LineError
from .events import DEL, MAX_LINE, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LF = 0x0A
"""As an int: to look for one byte in bytes by its number takes a tenth of the time."""

_OPEN, _CLOSE = b"{}"

ZERO = bytes(32)
"""``prev`` of the first line."""

MAX_NUMBER = 2**53
"""Beyond this, JSON readers disagree about an integer (RFC 8259 section 6)."""

LEAF = sha256(b"\x00")
"""How a leaf hash begins: to go on from here saves a copy of every line."""

_OPENING = re.compile(rb'\{"prev":"([A-Za-z0-9+/]{43}=)","seq":(0|[1-9][0-9]{0,15}),"')
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Tip:
    """The end of a chain: ``seq`` is the number of the next line, ``leaf`` the hash of the last."""

    seq: int = 0
    leaf: bytes = ZERO


def leaf_hash(line: bytes) -> bytes:
    """SHA-256(0x00 || line), 32 bytes; ``line`` is without its LF."""
    return sha256(b"\x00" + line).digest()


def opening(seq: int, prev: bytes) -> bytes:
    """The bytes every line begins with: ``{"prev":"…","seq":N,``."""
    return b'{"prev":"%b","seq":%d,' % (b2a_base64(prev, newline=False), seq)


def splice(record: bytes, seq: int, prev: bytes, tail: bytes) -> bytes:
    """The line, without LF, of ``record`` (one JSON object as bytes) at its place in the chain.

    ``tail`` is what closes the object, from the comma on: ``,"writer":{…}}``.
    """
    return opening(seq, prev) + record[1:-1] + tail


def extend(records: Iterable[bytes], tip: Tip, tail: bytes) -> tuple[bytes, Tip]:
    """All ``records`` as lines, each with its LF, in one piece; and the tip after them."""
    seq, leaf = tip.seq, tip.leaf
    lines = []
    for record in records:
        line = b'{"prev":"%b","seq":%d,%b%b' % (b2a_base64(leaf, newline=False), seq, record[1:-1], tail)
        leaf = sha256(b"\x00" + line).digest()
        seq += 1
        lines.append(line)
    lines.append(b"")
    return b"\n".join(lines), Tip(seq, leaf)


def link(bodies: Iterable[bytes], tip: Tip) -> tuple[bytes, Tip]:
    """``extend`` for records that are closed already: without their opening brace, the writer at their end."""
    seq, leaf, begin = tip.seq, tip.leaf, LEAF.copy
    parts: list[bytes] = []
    for body in bodies:
        start = b'{"prev":"%b","seq":%d,' % (b2a_base64(leaf, newline=False), seq)
        state = begin()
        state.update(start)
        state.update(body)
        leaf = state.digest()
        seq += 1
        parts += (start, body, b"\n")
    return b"".join(parts), Tip(seq, leaf)


def is_record(record: bytes, room: int) -> bool:
    """Whether ``record`` is one object on one line that leaves ``room`` bytes for what the trail adds."""
    return 2 < len(record) <= MAX_LINE - room and record[0] == _OPEN and record[-1] == _CLOSE and LF not in record


def parse_opening(line: bytes) -> Tip | None:
    """What a line says of its own place, as ``Tip(its seq, its prev)``; None if it does not begin like a line."""
    match = _OPENING.match(line)
    if match is None:
        return None
    prev = a2b_base64(match[1])
    return Tip(int(match[2]), prev) if b2a_base64(prev, newline=False) == match[1] else None


def parse_line(line: bytes) -> dict[str, Any]:
    """A line, without its LF, as an object. LineError says what no line of a trail may have.

    That is: more than MAX_LINE bytes, no UTF-8, raw control, bidi or line separator characters, a name twice in one
    object, NaN or an infinity, integers beyond 2^53, lone surrogates, or no object at all.
    """
    if len(line) >= MAX_LINE:
        raise LineError(f"longer than {MAX_LINE} bytes")
    try:
        value = orjson.loads(line)
        # Spelt back to the same bytes: no name twice, no odd spelling, nothing left out. Most lines are such.
        if type(value) is dict and line.isascii() and DEL not in line and spelt(value) == line:
            return value
    except orjson.JSONDecodeError:
        pass
    return _parse_slowly(line)


def spelt(value: dict[str, Any]) -> bytes | None:
    """An object as this package spells it; None if it holds what no line may, or is nested too deep for that."""
    try:
        return escape(orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER))
    except TypeError:
        return None


def _parse_slowly(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LineError(f"not UTF-8 at byte {error.start}") from None
    found = _FORBIDDEN.search(text)
    if found:
        raise LineError(f"a raw U+{ord(found[0]):04X} at character {found.start()}")
    try:
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise LineError("a lone surrogate") from None
    except RecursionError:
        raise LineError("nested too deep") from None
    except ValueError as error:
        raise LineError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise LineError("not a JSON object")
    return value


def _pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise LineError("a name twice in one object")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_NUMBER:
        raise LineError("an integer beyond 2^53")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise LineError("a number out of range")
    return value


def _constant(name: str) -> NoReturn:
    raise LineError(f"{name} is not JSON")
