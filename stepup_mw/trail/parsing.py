"""Reads every line of a piece for what it says, as strictly as ``chain.parse_line``, and fast where lines are usual.

A usual line is spelt as this package spells it. Two stretches of it stood in lines before: where the client is
described, and what closes it, under the same policy, by the same writer, mostly with its next number. Those members
were read once; they are compared instead, and their values taken for null. The rest is read and spelt back: if that
gives the same bytes, nothing stands twice in it, or in an odd way. Any other line is given to ``parse_line``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from ..chain import parse_line
from ..errors import LineError
from ..events import DEL
from .marks import event_of

if TYPE_CHECKING:
    from .told import Told

_AUDIT = b'"event_type":"audit"'
_ORIGIN = b',"origin":{'
_PROOF = b',"proof":'
_POLICY = b',"policy":{'
_WRITER = b',"writer":{'
_N = b'"n":'
_MOST = 1000
_LONGEST = 2048
"""Bytes of members that are worth remembering."""

_UNREAD = frozenset({"origin", "risk", "policy", "trace", "writer"})
"""Members of which nothing is told, but for the writer, of whom a closing says it."""

_NEAR = 32
"""Bytes by which lines that follow each other differ in where a member begins, mostly no more."""

_EXACT = orjson.OPT_STRICT_INTEGER


class _Closing(NamedTuple):
    """How lines of one writer close: the bytes up to the number, its ``life``, and the same members as nulls."""

    tail: bytes
    life: str
    nulls: bytes


class Parser:
    """For the lines of one piece, in order; ``told`` gets what they tell."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._closings: dict[bytes, _Closing] = {}
        self._closing = _Closing(b"\n", "", b"")
        self._n = 0

    def read(self, data: bytes, lines: list[bytes], seq: int) -> bool:
        """Whether the lines, each with its LF, are all well-formed. They make up ``data``, and begin at ``seq``."""
        plain = data.isascii() and DEL not in data
        try:
            if not plain:
                for number, line in enumerate(lines, seq):
                    self._told.line(self._read_whole(line[:-1]), number)
            else:
                self._read_plain(lines, seq)
        except (orjson.JSONDecodeError, orjson.JSONEncodeError, LineError):
            return False
        self._settle()
        return True

    def _read_plain(self, lines: list[bytes], seq: int) -> None:
        loads, dumps, exact, near, far = orjson.loads, orjson.dumps, _EXACT, 0, 0
        for number, line in enumerate(lines, seq):
            end = b"%b%d}}\n" % (self._closing.tail, self._n + 1)
            cut = len(end) if line.endswith(end) else self._turn(line)
            if cut:
                at = line.find(_ORIGIN, near)
                to = line.find(_PROOF, at + far)
                nulls = _as_nulls(line[at:to]) if 0 < at < to < at + _LONGEST else b""
                near, far = (at - _NEAR, to - at - _NEAR) if nulls else (0, 0)
                if not nulls:
                    at = to = 0
                body = b"".join((line[:at], nulls, line[to:-cut], self._closing.nulls))
                value = loads(body)
                if type(value) is dict and dumps(value, option=exact) == body:
                    self._n += 1
                    if value.get("event_type") == "audit":
                        self._settle()
                        self._told.mark(value, number, self._closing.life)
                    continue
            self._settle()
            self._told.line(self._read_whole(line[:-1]), number)

    def _settle(self) -> None:
        """Count the records of the last writer up to here."""
        self._told.counters.follow(self._closing.life, self._n)

    def _turn(self, line: bytes) -> int:
        """Go on with another writer that is known, or at another number. How much of the line that closes it is; 0 if
        it does not close in a known way."""
        end = line.rfind(_N) + len(_N)
        n = line[end:-3]
        if not n.isdigit() or (n[:1] == b"0" and n != b"0") or len(n) > 15 or line[-3:-1] != b"}}":
            return 0
        for opening in (_POLICY, _WRITER):
            at = line.rfind(opening, 0, end)
            closing = self._closings.get(line[at:end]) if at > 0 else None
            if closing is not None:
                self._settle()
                self._closing, self._n = closing, int(n) - 1
                self._told.counters.number(closing.life, int(n))
                return len(line) - at
        return 0

    def _read_whole(self, line: bytes) -> dict[str, Any]:
        """Any line, without its LF. LineError if it is none. How it closes is known from now on, if it is usual."""
        value = parse_line(line)
        writer, end = value.get("writer"), line.rfind(_N) + len(_N)
        life = writer.get("life") if type(writer) is dict else None
        for opening in (_POLICY, _WRITER):
            at = line.rfind(opening, 0, end)
            known = type(life) is str and life and at > 0 and len(line) - at < _LONGEST
            nulls = _as_nulls(line[at:-1]) if known else b""
            if b',"writer":null' in nulls:
                if len(self._closings) >= _MOST:
                    self._closings.clear()
                self._closings[line[at:end]] = _Closing(line[at:end], str(life), nulls + b"}")
        return value


@lru_cache(maxsize=2 * _MOST)
def _as_nulls(members: bytes) -> bytes:
    """Members of an object, each with a comma before it, as the same ones of value null: where one may stand, the other
    may, and a name that stands there already is there twice. Nothing if they are not spelt as usual, or are read."""
    body = b"{%b}" % members[1:]
    try:
        value = orjson.loads(body)
        usual = members.isascii() and type(value) is dict and orjson.dumps(value, option=_EXACT) == body
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return b""
    return b"".join([b',"%b":null' % name.encode() for name in value]) if usual and value.keys() <= _UNREAD else b""


def find_marks(lines: list[bytes], seq: int, told: Told) -> None:
    """What the trail's own lines tell, without a look into the others: they say what they are near their beginning."""
    if _AUDIT not in b"".join([line[70:150] for line in lines]):
        return
    for number, line in enumerate(lines, seq):
        if _AUDIT in line[70:150]:
            told.mark(dict(event_of(line)), number, "")
