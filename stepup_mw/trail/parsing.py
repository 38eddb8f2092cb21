"""Reads every line of a piece for what it says, as strictly as ``chain.parse_line``, and fast where lines are usual.

A line that looks like some that were read before (``Shapes``) is well-formed as they were, and what a numbered line
tells is its number. Any other line is given to ``parse_line``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chain import parse_line
from ..errors import LineError
from .marks import event_of
from .shapes import KIND, PLAIN, Match, Shapes

if TYPE_CHECKING:
    from .told import Told

_AUDIT = b'"event_type":"audit"'
_SHAPES = Shapes()


class Parser:
    """For the lines of one piece, in order, none longer than MAX_LINE; ``told`` gets what they tell."""

    def __init__(self, told: Told, shapes: Shapes = _SHAPES) -> None:
        self._told = told
        self._shapes = shapes

    def read(self, data: bytes, lines: list[bytes], seq: int) -> bool:
        """Whether the lines, each with its LF, are all well-formed. They make up ``data``, and begin at ``seq``."""
        plain, of_kind = not data.translate(None, PLAIN), self._shapes.of_kind
        usual: list[Match] = []
        for number, line in enumerate(lines, seq):
            for match in of_kind.get(line[KIND], ()) if plain or not line.translate(None, PLAIN) else ():
                if found := match(line):
                    usual.append(found)
                    break
            else:
                self._count(usual)
                usual.clear()
                if not self._read_singly(line, number):
                    return False
        self._count(usual)
        return True

    def _read_singly(self, line: bytes, number: int) -> bool:
        try:
            event = parse_line(line[:-1])
        except LineError:
            return False
        self._told.line(event, number)
        self._shapes.learn(line, event)
        return True

    def _count(self, usual: list[Match]) -> None:
        count = self._told.counters.number
        for life, n in map(Match.groups, usual):
            count(life.decode(), int(n))


def find_marks(lines: list[bytes], seq: int, told: Told) -> None:
    """What the trail's own lines tell, without a look into the others: they say what they are near their beginning."""
    if _AUDIT not in b"".join([line[70:150] for line in lines]):
        return
    for number, line in enumerate(lines, seq):
        if _AUDIT in line[70:150]:
            told.mark(dict(event_of(line)), number, "")
