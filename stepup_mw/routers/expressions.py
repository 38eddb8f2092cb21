"""From a regular expression of a URL to a path in the syntax of rules, as wide as the expression or wider."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from re import _constants as _codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_SLASH_AT_END = re.compile(r"/\?(?=(?:\$|\\Z)?\Z)")


def path_of(expression: str, *, ends: bool = True) -> str:
    """``^admin/(?P<id>[0-9]+)/$`` gives ``admin/{id}/``. What is no plain text and no group is ``{anyN}``. ``ends``:
    nothing follows the expression, and rules ignore a slash at the end."""
    parsed = _parser.parse(_SLASH_AT_END.sub("", expression) if ends else expression)
    names = {number: name for name, number in parsed.state.groupdict.items()}
    text = "".join(_parts(parsed, names, itertools.count(), itertools.count()))
    return re.sub(r"\}(?:\{any\d+(?::path)?\})+", "}", text)


def _parts(parsed: Any, names: dict[int, str], args: Iterator[int], others: Iterator[int]) -> Iterator[str]:
    for code, value in parsed:
        if code is _codes.LITERAL:
            yield chr(value)
        elif code is _codes.SUBPATTERN:
            yield from _group(value, names, args, others)
        elif code is _codes.AT:
            continue
        else:
            yield f"{{any{next(others)}{_kind(_parser.SubPattern(parsed.state, [(code, value)]))}}}"


def _group(value: Any, names: dict[int, str], args: Iterator[int], others: Iterator[int]) -> Iterator[str]:
    number, _, _, inner = value
    if number is None:
        yield from _parts(inner, names, args, others)
    else:
        name = names.get(number) or f"arg{next(args)}"
        yield f"{{{name}{_kind(inner)}}}"


def _kind(parsed: Any) -> str:
    """``:path`` where a part may hold a slash, or nothing at all: another parameter is never empty."""
    return ":path" if parsed.getwidth()[0] == 0 or takes_slash(parsed) else ""


def takes_slash(parsed: Any) -> bool:
    """Whether a parsed expression may hold a slash."""
    return any(_takes_slash(code, value) for code, value in parsed)


def _takes_slash(code: Any, value: Any) -> bool:
    if code is _codes.ANY:
        return True
    if code is _codes.LITERAL:
        return bool(value == ord("/"))
    if code is _codes.IN:
        return _class_takes_slash(value)
    if code in (_codes.MAX_REPEAT, _codes.MIN_REPEAT, _codes.POSSESSIVE_REPEAT):
        return any(_takes_slash(*item) for item in value[2])
    if code is _codes.SUBPATTERN:
        return any(_takes_slash(*item) for item in value[3])
    if code is _codes.BRANCH:
        return any(_takes_slash(*item) for branch in value[1] for item in branch)
    return code is _codes.NOT_LITERAL and value != ord("/")


def _class_takes_slash(items: Any) -> bool:
    negated = items[0][0] is _codes.NEGATE
    found = any(
        (code is _codes.LITERAL and value == ord("/"))
        or (code is _codes.RANGE and value[0] <= ord("/") <= value[1])
        or (code is _codes.CATEGORY and value in (_codes.CATEGORY_NOT_WORD, _codes.CATEGORY_NOT_DIGIT))
        for code, value in items
    )
    return found != negated
