"""Templates of pages: a small part of Mustache, with no way to put text on a page that is not escaped.

``{{name}}`` shows a value; ``{{t.key}}`` a text of the catalogue, its places filled from around it;
``{{#name}}…{{/name}}`` stands once for what is true, once for each item of a list, ``{{^name}}…{{/name}}`` for nothing;
``{{.}}`` is the item itself; ``{{>part}}`` another template; ``{{! a remark }}``. Only ``Markup`` made by this package
goes onto a page as it is.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, NamedTuple

from ..encoding import safe_text
from ..errors import TemplateError
from .catalogue import Catalogue, Said

MAX_SHOWN = 4096
"""Characters of one value on a page."""

_TAG = re.compile(r"\{\{([#^/>!]?)\s*(.*?)\s*\}\}", re.DOTALL)
_NAME = re.compile(r"\.|[a-z][a-z0-9_]*|t(?:\.[a-z0-9_-]+)+", re.ASCII)

Frames = tuple[object, ...]


class Markup(str):
    """HTML made by this package, of nothing that came from outside unescaped."""

    __slots__ = ()


class _Node(NamedTuple):
    kind: Literal["text", "value", "told", "#", "^", ">"]
    name: str
    inside: tuple[_Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """One template, read."""

    name: str
    nodes: tuple[_Node, ...]


def read_template(name: str, source: str, parts: frozenset[str], texts: Catalogue) -> Template:
    """TemplateError, with the line, where it cannot be read. ``parts``: the templates there are."""
    stack: list[tuple[str, str, int, list[_Node]]] = [("", "", 1, [])]
    at = 0
    for tag in _TAG.finditer(source):
        line = source.count("\n", 0, tag.start()) + 1
        stack[-1][3].append(_Node("text", source[at : tag.start()]))
        at = tag.end()
        mark, word = tag[1], tag[2]
        if mark == "!":
            continue
        if mark == ">":
            if word not in parts:
                raise TemplateError(name, line, f'there is no template "{safe_text(word, 40)}"')
            stack[-1][3].append(_Node(">", word))
            continue
        if not _NAME.fullmatch(word):
            raise TemplateError(name, line, f'"{safe_text(word, 40)}" is no name')
        if word.startswith("t.") and (mark or word[2:] not in texts.texts):
            raise TemplateError(name, line, f'there is no text "{safe_text(word[2:], 40)}"')
        _add(stack, mark, word, line, name)
    stack[-1][3].append(_Node("text", source[at:]))
    if len(stack) > 1:
        raise TemplateError(name, stack[-1][2], f"{{{{{stack[-1][0]}{stack[-1][1]}}}}} is not closed")
    return Template(name, tuple(stack[0][3]))


def _add(stack: list[tuple[str, str, int, list[_Node]]], mark: str, word: str, line: int, name: str) -> None:
    if mark == "/":
        opened, open_name, _, inside = stack[-1]
        if not opened or open_name != word:
            raise TemplateError(name, line, f"{{{{/{word}}}}} closes nothing that is open here")
        stack.pop()
        stack[-1][3].append(_Node("#" if opened == "#" else "^", word, tuple(inside)))
    elif mark:
        stack.append((mark, word, line, []))
    else:
        stack[-1][3].append(_Node("told", word[2:]) if word.startswith("t.") else _Node("value", word))


def render(template: Template, templates: Mapping[str, Template], texts: Catalogue, *views: object) -> Markup:
    """The HTML of mappings or dataclasses, the first looked at first; a name that none has is shown as nothing."""
    pieces: list[str] = []
    _render(template.nodes, views[::-1], templates, texts, pieces.append)
    return Markup("".join(pieces))


def _render(
    nodes: Sequence[_Node],
    frames: Frames,
    templates: Mapping[str, Template],
    texts: Catalogue,
    put: Callable[[str], None],
) -> None:
    for kind, name, inside in nodes:
        if kind == "text":
            put(name)
        elif kind == "value":
            put(_shown(_look(frames, name), texts))
        elif kind == "told":
            ready = texts.ready.get(name)
            put(ready if ready is not None else _shown(texts.text(name, lambda place: _look(frames, place)), texts))
        elif kind == ">":
            _render(templates[name].nodes, frames, templates, texts, put)
        elif kind == "^":
            if not _look(frames, name):
                _render(inside, frames, templates, texts, put)
        else:
            for frame in _each(_look(frames, name)):
                _render(inside, (*frames, frame), templates, texts, put)


def _each(value: object) -> Sequence[object]:
    if isinstance(value, Sequence) and not isinstance(value, str | Said):
        return value
    return (value,) if value else ()


def _look(frames: Frames, name: str) -> object:
    """The value of a name in the nearest frame that has it, "" for none. Never an attribute that is no field."""
    if name == ".":
        return frames[-1]
    for frame in reversed(frames):
        if type(frame) is dict or isinstance(frame, Mapping):  # the second costs ten times the first
            if name in frame:
                return frame[name]
        elif dataclasses.is_dataclass(frame) and name in frame.__dataclass_fields__:
            return getattr(frame, name)
    return ""


def _shown(value: Any, texts: Catalogue) -> str:
    if type(value) is str:
        return escape(safe_text(value, MAX_SHOWN), quote=True)
    if isinstance(value, Markup):
        return value
    if isinstance(value, Said):
        value = texts.said(value)
    if value is None or value is False:
        return ""
    return escape(safe_text(str(value), MAX_SHOWN), quote=True)
