"""Finds the patterns that may match a path, in their order, without trying each.

Patterns of one shape (as many segments, literals at the same places) share one dict, keyed by the literals at those
places: a path costs one look-up for each shape of its length, whatever the number of patterns. Where a length has
many shapes, a tree of segments is walked in their place. The answer is a superset; whoever asks tries what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from .patterns import Pattern
from .segments import Param, Segment, is_tree

_Pick = Callable[[Sequence[str]], Any]
_Table = dict[Any, tuple[int, ...]]
_Shelf = tuple[tuple[_Pick, _Table], ...]

_Node = dict[Any, Any]
_END, _REST = 0, 1  # no segment is a number
_FEW = 8

WILD = "{}"
"""Stands for a parameter in ``find_segments``. No literal text of a pattern has a brace."""


class Shapes:
    """An index over patterns; the numbers it gives are their places."""

    __slots__ = ("_fixed", "_many", "_open", "_tree")

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._tree: _Node = {}
        fixed: dict[int, dict[tuple[int, ...], dict[Any, list[int]]]] = {}
        open_: dict[int, dict[tuple[int, ...], dict[Any, list[int]]]] = {}
        for number, pattern in enumerate(patterns):
            head, has_path = _head(pattern.body)
            node = self._tree
            for text in head[1:]:
                node = node.setdefault(text, {})
            node.setdefault(_REST if has_path else _END, []).append(number)
            places = tuple(place for place, text in enumerate(head) if place and text != WILD)
            shelves = (open_ if has_path else fixed).setdefault(len(head), {})
            shelves.setdefault(places, {}).setdefault(_picker(places)(head), []).append(number)
        self._fixed = {length: _shelf(tables) for length, tables in fixed.items()}
        self._open = tuple((least, *row) for least, tables in open_.items() for row in _shelf(tables))
        few = _FEW - len(self._open)
        self._many = frozenset(length for length, shelf in self._fixed.items() if len(shelf) > few)

    def find(self, path: str) -> Sequence[int]:
        """The patterns that may match a path that begins with a slash, first to last."""
        return self.find_segments(path.rstrip("/").split("/"))

    def find_segments(self, segments: Sequence[str]) -> Sequence[int]:
        """The same for what stands between the slashes, the nothing before the first included. ``WILD`` among them
        is met by a parameter only."""
        found: tuple[int, ...] = ()
        length = len(segments)
        if length in self._many or len(self._open) > _FEW:
            return self._walk(segments)
        for pick, table in self._fixed.get(length, ()):
            numbers = table.get(pick(segments))
            if numbers is not None:
                found += numbers
        for least, pick, table in self._open:
            if least <= length and (numbers := table.get(pick(segments))) is not None:
                found += numbers
        return sorted(found) if len(found) > 1 else found

    def _walk(self, segments: Sequence[str]) -> Sequence[int]:
        """Level by level, the literal and the parameter: each node of the tree at most once."""
        nodes, found = [self._tree], list[int]()
        for text in segments[1:]:
            following = []
            for node in nodes:
                if (child := node.get(text)) is not None:
                    following.append(child)
                if (child := node.get(WILD)) is not None and text != WILD:
                    following.append(child)
                if _REST in node:
                    found += node[_REST]
            nodes = following
        for node in nodes:
            found += [*node.get(_END, ()), *node.get(_REST, ())]
        return sorted(found)


def _head(body: tuple[Segment, ...]) -> tuple[list[str], bool]:
    """The segments from the nothing before the first slash to the first with a path parameter; whether there is one."""
    head = [""]
    for segment in body:
        if any(isinstance(part, Param) and part.kind == "path" for part in segment):
            return head, True
        head.append(segment[0] if len(segment) == 1 and isinstance(segment[0], str) else WILD)
    return head, False


def _picker(places: tuple[int, ...]) -> _Pick:
    return itemgetter(*places) if places else _nothing


def _nothing(_segments: Sequence[str]) -> None:
    return None


def _shelf(tables: dict[tuple[int, ...], dict[Any, list[int]]]) -> _Shelf:
    return tuple(
        (_picker(places), {key: tuple(numbers) for key, numbers in table.items()}) for places, table in tables.items()
    )


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Whether ``wide`` matches every path that ``narrow`` does, in the exact and in the broad meaning.

    Sound, not complete: False where it is not plain to see. A newline inside a path is left out of account.
    """
    if wide.degree > max(1, narrow.degree):  # its exact meaning is given up for shorter texts
        return False
    if wide.template == narrow.template and _kinds(wide) == _kinds(narrow):
        return True
    tree = is_tree(wide.segments[-1])
    head = len(wide.segments) - tree
    if len(narrow.segments) <= head if tree else len(narrow.segments) != head:
        return False
    return all(_covers(*pair) for pair in zip(wide.segments[:head], narrow.segments[:head], strict=True))


def _kinds(pattern: Pattern) -> list[str]:
    return [part.kind for segment in pattern.segments for part in segment if isinstance(part, Param)]


def _covers(wide: Segment, narrow: Segment) -> bool:
    """Segment by segment: the same texts, or a parameter over what can only be a part of what it takes."""
    if any(isinstance(part, Param) and part.kind == "path" for part in (*wide, *narrow)):
        return False
    if len(wide) == 1 and isinstance(param := wide[0], Param):
        if param.kind == "str":
            return bool(narrow)
        if len(narrow) == 1 and isinstance(other := narrow[0], Param):
            return other.kind == param.kind
        return param.kind in ("int", "float") and len(narrow) == 1 and _is_digits(narrow[0])
    return [_kind(part) for part in wide] == [_kind(part) for part in narrow]


def _kind(part: str | Param) -> str:
    return f"{{{part.kind}}}" if isinstance(part, Param) else part


def _is_digits(part: str | Param) -> bool:
    return isinstance(part, str) and part.isascii() and part.isdecimal()
