"""From a regular expression of a URL to a path in the syntax of rules, as wide as the expression or wider."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from re import _constants as _codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any


def path_of(expression: str) -> str:
    """``^admin/(?P<id>[0-9]+)/$`` gives ``admin/{id}/``. What is no plain text and no group is ``{anyN}``."""
    parsed = _parser.parse(expression)
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
        elif code in (_codes.MAX_REPEAT, _codes.MIN_REPEAT) and value[1] == 1 and _is_slash(value[2]):
            continue  # "/?": rules ignore a slash at the end
        else:
            yield f"{{any{next(others)}{_kind([(code, value)])}}}"


def _group(value: Any, names: dict[int, str], args: Iterator[int], others: Iterator[int]) -> Iterator[str]:
    number, _, _, inner = value
    if number is None:
        yield from _parts(inner, names, args, others)
    else:
        name = names.get(number) or f"arg{next(args)}"
        yield f"{{{name}{_kind(inner)}}}"


def _is_slash(parsed: Any) -> bool:
    return len(parsed) == 1 and parsed[0] == (_codes.LITERAL, ord("/"))


def _kind(parsed: Any) -> str:
    """``:path`` where a part may hold a slash."""
    return ":path" if any(_takes_slash(code, value) for code, value in parsed) else ""


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
