"""Many patterns folded into one regular expression, so that no common prefix is tried twice.

Works on words: sequences of regex snippets, one literal character or one wildcard each. It knows nothing of rules.
What it makes may accept more than the words (where a bound is reached), never less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

ONE = "[^/]++"
"""A whole segment: possessive, so that a long path is scanned once (CPython 3.11)."""
SOME = "[^/]+"
"""A part of a segment, with a literal behind it."""
ANY = ".*"
"""Whatever is left, slashes and newlines included."""
TAIL = "(?:/.*)?"
"""A whole tree: nothing at all, or a slash and whatever follows."""

_END = ""
_MAX_DEPTH = 60  # nested groups; the parser and compiler of `re` recurse once for each
_MAX_SIZE = 8_000_000  # characters of the expression

_Node = dict[str, Any]


def fold(words: Iterable[Sequence[str]]) -> re.Pattern[str]:
    """One expression for ``fullmatch``; slashes at the end of a text are ignored. No words: nothing matches."""
    root: _Node = {}
    for word in words:
        node = root
        for token in word:
            node = node.setdefault(token, {})
        node[_END] = {}
    if not root:
        return re.compile(r"(?!)")
    return re.compile(_Folder().emit(root, 0), re.DOTALL)


class _Folder:
    """Writes a trie down as an expression, within a depth and a size."""

    def __init__(self) -> None:
        self.size = 0

    def emit(self, node: _Node, depth: int) -> str:
        """The expression below ``node``. Past a bound: anything, which sends a path to the exact look-up."""
        out: list[str] = []
        while len(node) == 1 and _END not in node:
            ((token, node),) = node.items()
            out.append(token)
        out.append(self._branch(node, depth))
        text = "".join(out)
        self.size += len(out)
        return text

    def _branch(self, node: _Node, depth: int) -> str:
        if len(node) == 1:
            return "/*"
        if depth >= _MAX_DEPTH or self.size > _MAX_SIZE or _END in node.get(ANY, ()):
            return ANY
        keys = sorted(node, key=_wildness)
        if _END in node.get(TAIL, ()):  # it takes the end, and all that begins with a slash
            keys = [key for key in keys if key not in (_END, "/")]
        parts = ["/*" if key == _END else key + self.emit(node[key], depth + 1) for key in keys]
        return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _wildness(token: str) -> int:
    return 1 + (ONE, SOME, TAIL, ANY).index(token) if token in (ONE, SOME, TAIL, ANY) else 0
