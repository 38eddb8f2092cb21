"""Route paths in Starlette's syntax: ``/accounts/{account}/transfer``, ``/users/{id:int}``, ``/files/{rest:path}``.

Owns the syntax, its mistakes, and what one pattern matches. Which rule wins is the policy's.

Two meanings of one pattern. *Exact* is Starlette's own. *Broad* is what the converter of some other router may accept
where the rule says ``int``, ``float`` or ``uuid`` (``+5``, ``1_000``, ``urn:uuid:…``), with slashes at the end ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from . import segments, trie
from .errors import PatternError
from .segments import Param, Segment

KINDS = ("str", "int", "float", "uuid", "path")

_PARAM = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-zA-Z_][a-zA-Z0-9_]*))?\}")
_BRACED = re.compile(r"\{[^{}]*\}?|\}")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_MAX_LENGTH = 2048
_MAX_STEPS = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A route path. ``source`` as written; ``template`` without the types, as audit lines show it."""

    source: str
    template: str
    segments: tuple[Segment, ...]

    @cached_property
    def exact(self) -> re.Pattern[str]:
        """Starlette's own expression, for ``match``. It ends in ``$``: a newline at the end is let through."""
        from starlette.routing import compile_path  # noqa: PLC0415 - 70 ms, and only a path that hits needs it

        return compile_path(self.source)[0]

    @cached_property
    def broad(self) -> re.Pattern[str]:
        """For ``fullmatch``: other routers' converters, trailing slashes ignored; linear in the text."""
        return re.compile(segments.broad(self.body), re.DOTALL)

    @cached_property
    def body(self) -> tuple[Segment, ...]:
        """The segments without those behind trailing slashes."""
        end = len(self.segments)
        while end and not self.segments[end - 1]:
            end -= 1
        return self.segments[:end]

    @cached_property
    def degree(self) -> int:
        """The power of a text's length that Starlette's expression may cost: parameters that can trade characters."""
        free = 0
        for segment in self.segments:
            kinds = [part.kind for part in segment if isinstance(part, Param)]
            if "path" in kinds or (len(kinds) > 1 and set(kinds) != {"int"}):
                free += len(kinds)
        return free

    def exactly(self, text: str) -> re.Match[str] | None:
        """A match in Starlette's meaning. None too where its expression could take too long (several free
        parameters on a long text), which leaves the broad meaning."""
        if self.degree > 1 and len(text) ** self.degree > _MAX_STEPS:
            return None
        return self.exact.match(text)

    def params(self, path: str) -> dict[str, str]:
        """The parameters' values, as text, of a path that matches; empty if it does not."""
        match = self.exactly(path) or self.broad.fullmatch(path)
        return match.groupdict("") if match else {}

    def words(self) -> list[str]:
        """The literal texts, longest first, cut where a reading of a path may cut one."""
        texts = (part for segment in self.segments for part in segment if isinstance(part, str))
        return sorted({word for text in texts for word in text.split(";") if word}, key=len, reverse=True)


def compile_pattern(path: str) -> Pattern:
    """Parse a route path. PatternError says what was found and what is allowed."""
    _check_text(path)
    parts = tuple(_parts(path))
    names = [part.name for part in parts if isinstance(part, Param)]
    for name in names:
        if names.count(name) > 1:
            raise PatternError(path, f"the parameter {name!r} stands twice in {path!r}: give each its own name")
    split = tuple(_segments(parts))
    for segment in split:
        if segment in ((".",), ("..",)):
            raise PatternError(path, f"{path!r} has the segment {segment[0]!r}, which clients resolve before they send")
    if () in split[:-1]:
        raise PatternError(path, f"{path!r} has an empty segment ('//'): write one slash")
    template = "".join(f"{{{part.name}}}" if isinstance(part, Param) else part for part in parts)
    return Pattern(source=path, template=template, segments=split)


def fold(patterns: Iterable[Pattern]) -> re.Pattern[str]:
    """One expression for ``fullmatch`` that accepts what any pattern matches broadly, and little more."""
    return trie.fold(segments.word(pattern.body) for pattern in patterns)


def _check_text(path: str) -> None:
    if not path.startswith("/"):
        raise PatternError(path, f"{path!r} does not start with '/': write the path as the app sees it")
    if len(path) > _MAX_LENGTH:
        raise PatternError(path, f"the path has {len(path)} characters: at most {_MAX_LENGTH} are allowed")
    if not path.isprintable():
        raise PatternError(path, f"{path!r} has a character that does not print: only printable text is allowed")
    for mark, what in (("?", "a query"), ("#", "a fragment"), ("\\", "a backslash")):
        if mark in path:
            raise PatternError(path, f"{path!r} has {what} ({mark!r}): only the path is matched, with '/' between")
    encoded = _ENCODED.search(path)
    if encoded:
        raise PatternError(path, f"{path!r} has {encoded[0]!r}: paths are matched decoded, write the character itself")


def _parts(path: str) -> Iterator[str | Param]:
    """Literal texts and parameters in order."""
    end = 0
    for match in _PARAM.finditer(path):
        yield from _literal(path, path[end : match.start()])
        kind = match[2] or "str"
        if kind not in KINDS:
            raise PatternError(path, f"unknown type {kind!r} in {match[0]!r}{_meant(kind)}: allowed are {_listed()}")
        yield Param(match[1], kind)
        end = match.end()
    yield from _literal(path, path[end:])


def _literal(path: str, text: str) -> Iterator[str]:
    odd = _BRACED.search(text)
    if odd:
        raise PatternError(path, _brace_mistake(path, odd[0]))
    if text:
        yield text


def _brace_mistake(path: str, found: str) -> str:
    if not (found.startswith("{") and found.endswith("}")):
        return f"{path!r} has a brace without its partner: a parameter is {{name}} or {{name:type}}"
    name, colon, kind = found[1:-1].partition(":")
    if not name.strip():
        return f"{found!r} in {path!r} has no name: a parameter is {{name}} or {{name:type}}"
    if colon and not kind:
        return f"{found!r} in {path!r} has no type behind the colon: allowed are {_listed()}"
    return f"{found!r} in {path!r}: a name is ASCII letters, digits and '_', no digit first; types are {_listed()}"


def _meant(kind: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for a mistake

    known = {**{name: name for name in KINDS}, "string": "str", "integer": "int", "number": "float", "guid": "uuid"}
    close = get_close_matches(kind.lower(), known, 1)
    return f" (did you mean {known[close[0]]!r}?)" if close else ""


def _listed() -> str:
    return ", ".join(KINDS)


def _segments(parts: tuple[str | Param, ...]) -> Iterator[Segment]:
    current: list[str | Param] = []
    for number, part in enumerate(parts):
        if isinstance(part, Param):
            current.append(part)
            continue
        first, *rest = (part[1:] if number == 0 else part).split("/")
        if first:
            current.append(first)
        for text in rest:
            yield tuple(current)
            current = [text] if text else []
    yield tuple(current)
