"""Where each key and value of a TOML text stands: line and column, counted in characters from 1.

The only importer of ``spanned_toml``. Positions are a kindness: where its reading differs from that of ``tomllib``,
or it fails, there are none, and nothing else changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import spanned_toml

Path = tuple[str | int, ...]

_FAILURES = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError)
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*(routes)[ \t]*\]\]", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Character offsets by path, for keys and for values."""

    text: str
    keys: Mapping[Path, int] = field(default_factory=dict)
    values: Mapping[Path, int] = field(default_factory=dict)

    def offset(self, path: Path, *, at_key: bool = False) -> int | None:
        """The offset of the value (or the key) at ``path``, or of the nearest thing around it; 0 is the top of the
        file. None where nothing is known."""
        if not self.values:
            return None
        for length in range(len(path), 0, -1):
            here = path[:length]
            found = self.keys.get(here) if at_key else self.values.get(here)
            if found is None:
                found = self.values.get(here)
            if found is not None:
                return found
        return 0

    def line_column(self, offset: int) -> tuple[int, int]:
        return self.text.count("\n", 0, offset) + 1, offset - (self.text.rfind("\n", 0, offset) + 1) + 1


def locate(text: str, data: Mapping[str, Any]) -> Places:
    """The places of ``text``, whose reading by ``tomllib`` is ``data``. Never fails: without positions if need be."""
    text = text.replace("\r\n", "\n")
    try:
        document = spanned_toml.loads(text)
        if document.unspan() != data:
            return Places(text=text)
        keys: dict[Path, int] = {}
        values: dict[Path, int] = {}
        _walk(document, (), keys, values)
    except _FAILURES:
        return Places(text=text)
    values.update(_route_headers(text, data, values))
    return Places(text=text, keys=keys, values=values)


def _walk(node: Any, path: Path, keys: dict[Path, int], values: dict[Path, int]) -> None:
    inner = node.inner()
    if isinstance(inner, dict):
        for key, value in inner.items():
            here = (*path, key.inner())
            keys[here] = key.span().start
            values[here] = value.span().start if value.span().stop else key.span().start
            _walk(value, here, keys, values)
    elif isinstance(inner, list):
        for index, value in enumerate(inner):
            here = (*path, index)
            if value.span().stop:
                values[here] = value.span().start
            _walk(value, here, keys, values)


def _route_headers(text: str, data: Mapping[str, Any], values: Mapping[Path, int]) -> dict[Path, int]:
    """``[[routes]]`` tables carry no span: the n-th header is the n-th table, where the numbers agree."""
    routes = data.get("routes")
    if not isinstance(routes, list) or ("routes", 0) in values:
        return {}
    headers = [match.start(1) for match in _HEADER.finditer(text)]
    if len(headers) != len(routes):
        return {}
    return {("routes", index): start for index, start in enumerate(headers)}
