"""How lines look: expressions that a line matches from its first byte to its last, learnt from lines that were read.

Most lines look like some before: the same members in the same order, other texts, other numbers. What matches is
well-formed for the reason those were: the same braces, the same names, none of them twice, numbers within the same
bounds, texts of printable ASCII. A member that is written in several ways may have any of them in any line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from ..chain import spelt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLAIN = bytes(code for code in range(0x20, 0x7F) if code != ord("\\")) + b"\n"
"""The bytes of lines that can match. Without a backslash a quote begins or ends a text, and nothing else does."""

KIND = slice(124, 164)
"""Where a line mostly says what it is: some of its event type, its phase, its status."""

_EVERY = 199
"""Lines that matched nothing before one is learnt from, which takes as long as to read them; odd, since lines come in
pairs."""

_SLOWER = 50
"""Lines more before the next: where there is no end of new looks, nothing is to be won by them."""

_MOST_KINDS = 64
_MOST_SHAPES = 4
"""Of one kind, tried in turn."""

_LONGEST = 8192
"""Bytes of an expression that is worth its making; that of a usual line has some 1500."""

_TEXT = rb'"[^"]*+"'
_NUMBER = rb"-?(?:0|[1-9][0-9]{0,14}+)(?:\.[0-9]{1,17}+)?+"
_TRUTH = rb"(?:true|false)"
_TOKEN = re.compile(
    rb'(?P<same>"[^"]*":|[^"0-9tf-]+)|(?P<text>"[^"]*")|(?P<truth>true|false)|(?P<number>-?[0-9][0-9.e+-]*)'
)
_CLOSING = rb',"life":"([^"]*+)","n":(0|[1-9][0-9]{0,14}+)\}\}\n'

Match = re.Match[bytes]
"""Its groups are the ``life`` of the writer and the number ``n`` of the line."""


class Shapes:
    """How numbered lines look, by their kind: for each list of names the expression that a line has to match."""

    def __init__(self, every: int = _EVERY) -> None:
        self.of_kind: dict[bytes, list[Callable[[bytes], Match | None]]] = {}
        self._shapes: dict[bytes, list[_Shape]] = {}
        self._every = every
        self._slower = _SLOWER if every > 1 else 0
        self._unlike = 0

    def learn(self, line: bytes, event: dict[str, Any]) -> None:
        """From one in so many of the lines, each with its LF, that matched nothing and were read as ``event``."""
        self._unlike += 1
        if self._unlike < self._every:
            return
        self._unlike = 0
        # Only a line as this package spells it: another may hide what is a name by spaces.
        if line.translate(None, PLAIN) or not _is_usual(event) or spelt(event) != line[:-1]:
            return
        self._every += self._slower
        if len(self._shapes) >= _MOST_KINDS:
            self._shapes.clear()
            self.of_kind.clear()
        names, looks = _looks(event)
        shapes = self._shapes.get(line[KIND], [])
        same = [shape for shape in shapes if shape.names == names]
        shape = same[0] if same else _Shape(names)
        if shape.widen(looks):
            self._shapes[line[KIND]] = shapes = shapes if same else [*shapes[: _MOST_SHAPES - 1], shape]
            self.of_kind[line[KIND]] = [shape.match for shape in shapes]


class _Shape:
    """Lines with the same ``names``, and for each of their members the ways in which it was written."""

    def __init__(self, names: Sequence[bytes]) -> None:
        self.names = names
        self._looks: list[tuple[bytes, ...]] = [()] * len(names)
        self.match: Callable[[bytes], Match | None] = re.compile(b"(?!)").fullmatch

    def widen(self, looks: Sequence[bytes]) -> bool:
        """Take these for what the members may look like, too; False if that would be too much."""
        wider = [known if look in known else (*known, look) for known, look in zip(self._looks, looks, strict=True)]
        members = [name + _one_of(known) for name, known in zip(self.names, wider, strict=True)]
        expression = rb"\{" + b",".join(members) + _CLOSING
        if len(expression) > _LONGEST:
            return False
        self._looks, self.match = wider, re.compile(expression).fullmatch
        return True


def _one_of(looks: tuple[bytes, ...]) -> bytes:
    return b"(?>%b)" % b"|".join(looks) if len(looks) > 1 else looks[0]


def _is_usual(event: dict[str, Any]) -> bool:
    """Whether it is none of the trail's own, and closes with its writer, and the writer with its number."""
    names, writer = list(event), event.get("writer")
    if names[-1:] != ["writer"] or type(writer) is not dict or list(writer)[-2:] != ["life", "n"] or len(writer) < 3:
        return False
    return type(writer["life"]) is str and type(writer["n"]) is int and event.get("event_type") != "audit"


def _looks(event: dict[str, Any]) -> tuple[list[bytes], list[bytes]]:
    """The names of its members, and what each looks like; of the writer what stands before its last two members."""
    names = [re.escape(orjson.dumps(name) + b":") for name in event]
    looks = [_look(value) for value in event.values()]
    if "event_type" in event:
        looks[list(event).index("event_type")] = re.escape(orjson.dumps(event["event_type"]))
    looks[-1] = _look(dict(list(event["writer"].items())[:-2]))[:-2]
    return names, looks


def _look(value: Any) -> bytes:
    return _TOKEN.sub(_any_such, orjson.dumps(value))


def _any_such(token: Match) -> bytes:
    if token["same"] is not None:
        return re.escape(token["same"])
    if token["text"] is not None:
        return _TEXT
    return _TRUTH if token["truth"] is not None else _NUMBER
