"""What one route path matches, segment by segment, in the broad meaning.

Owns the values a parsed path is made of and the expressions written from them. Every expression is linear in the
text: what may trade characters with its neighbour is taken shortest first and for good (an atomic group), which loses
nothing, because each of these takes any character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from . import trie

# What a converter of that type may take in any framework: `int()` takes signs, spaces, underscores and every script's
# digits but no letter; `float()` also "1e5", "inf", "nan", "infinity"; `uuid.UUID()` braces and "urn:uuid:", never
# under 32 characters. Wider than that, `/users/{id:int}` would cover the public `/users/me` beside it.
_BROAD = {
    "str": "[^/]+",
    "int": "[^/A-Za-z]+",
    "float": "[^/b-dg-hj-mo-su-xzB-DG-HJ-MO-SU-XZ]+",
    "uuid": "[^/]{32,}",
    "path": ".*",
}


class Param(NamedTuple):
    """``{name:kind}``."""

    name: str
    kind: str


Segment = tuple[str | Param, ...]
"""What stands between two slashes, in order: literal texts and parameters. Empty behind a trailing slash."""


def is_tree(segment: Segment) -> bool:
    """``{rest:path}`` alone between slashes: at the end of a path, a whole tree."""
    return len(segment) == 1 and isinstance(segment[0], Param) and segment[0].kind == "path"


def word(body: tuple[Segment, ...]) -> list[str]:
    """The tokens of a pattern for the trie. Where a part could trade characters with the next: anything goes."""
    word: list[str] = []
    for place, segment in enumerate(body):
        if is_tree(segment) and place == len(body) - 1:
            return [*word, trie.TAIL]
        kinds = [part.kind for part in segment if isinstance(part, Param)]
        if "path" in kinds and (len(kinds) > 1 or trie.ANY in word):
            return [*word, "/", trie.ANY]
        word.append("/")
        word.extend(_segment_word(segment, many=len(kinds) > 1))
    return word


def _segment_word(segment: Segment, *, many: bool) -> Iterator[str]:
    for number, part in enumerate(segment):
        if not isinstance(part, Param):
            yield from map(re.escape, part)
        elif part.kind == "path":
            yield trie.ANY
        elif many:
            yield trie.ONE
            return
        else:
            yield trie.ONE if number == len(segment) - 1 else trie.SOME


def broad(body: tuple[Segment, ...]) -> str:
    """The expression, for ``fullmatch`` with DOTALL; slashes at the end are let through."""
    tree = body and is_tree(body[-1])
    pieces: list[str | Param] = []  # expressions, and path parameters among them
    for segment in body[:-1] if tree else body:
        pieces += ["/", *_broad_segment(segment)]
    paths = [number for number, piece in enumerate(pieces) if isinstance(piece, Param)]
    end = _broad_end(body[-1]) if tree else "/*"
    last = len(pieces) if tree else (paths[-1] if paths else len(pieces))
    out = ""
    for number, piece in enumerate(pieces):
        if isinstance(piece, str):
            out += piece
        elif number == last:
            out += f"{_close(paths, number)}(?P<{piece.name}>.*)"
        else:
            out += f"{_close(paths, number)}(?>(?P<{piece.name}>.*?)"
    return out + (r"(?=/|\Z))" if tree and paths else "") + end


def _close(paths: list[int], number: int) -> str:
    """The end of the group that the path parameter before this one opened."""
    return ")" if number != paths[0] else ""


def _broad_end(segment: Segment) -> str:
    return "".join(f"(?:/(?P<{part.name}>.*))?" for part in segment if isinstance(part, Param))


def _broad_segment(segment: Segment) -> Iterator[str | Param]:
    params = [part for part in segment if isinstance(part, Param)]
    tight = all(param.kind == "int" for param in params) and not _adjacent(segment)
    rest = len(params)
    opened = False
    for number, part in enumerate(segment):
        if not isinstance(part, Param):
            yield re.escape(part) + (")" if opened else "")
            opened = False
            continue
        rest -= 1
        if part.kind == "path":
            yield part
        elif len(params) == 1:
            yield f"(?P<{part.name}>{_BROAD[part.kind]})"
        elif tight:
            stop = str(segment[number + 1])[0] if rest else ""
            yield f"(?P<{part.name}>[^/A-Za-z][^/A-Za-z{re.escape(stop)}]*)"
        elif rest:
            opened = isinstance(segment[number + 1], str)
            yield f"(?>(?P<{part.name}>[^/]+?)" + ("" if opened else ")")
        else:
            yield f"(?P<{part.name}>[^/]+)"


def _adjacent(segment: Segment) -> bool:
    return any(isinstance(left, Param) and isinstance(right, Param) for left, right in pairwise(segment))
