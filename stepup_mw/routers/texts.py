"""Texts about handlers and paths that all readers need: an example of what an expression matches, a handler's name."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from re import _constants as _codes  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from types import FunctionType, ModuleType
from typing import Any

from . import AppRoute
from .expressions import takes_slash

_SLASHED = "y/8"
"""The second example of what takes any character: a rule for one segment does not cover it."""

LETTERS = ("x7", "y8")
"""What stands for a parameter in the first and the second sample of a route."""

_CHANGING = ("post", "put", "patch", "delete")
_DEMANDS = frozenset({"require", "require_sync"})
_SAID_OF_CHANGE = frozenset({"POST", "PUT", "PATCH", "DELETE", "FILES", "form", "body", "get_json"})


def example_of(expression: str, variant: int = 0) -> str:
    """A short text that the expression matches, as good as can be told; another one for another ``variant``."""
    return "".join(_write(_parser.parse(expression), variant))


def _write(parsed: Any, variant: int) -> Iterator[str]:
    for code, value in parsed:
        if code is _codes.LITERAL:
            yield chr(value)
        elif code in (_codes.ANY, _codes.NOT_LITERAL):
            yield "x"
        elif code is _codes.IN:
            yield _member(value, variant)
        elif code in (_codes.MAX_REPEAT, _codes.MIN_REPEAT, _codes.POSSESSIVE_REPEAT):
            least, most, inner = value
            if variant and least <= len(_SLASHED) <= most and len(inner) == 1 and takes_slash(inner):
                yield _SLASHED
            else:
                yield "".join(_write(inner, variant)) * (least or most > 1 - variant)
        elif code is _codes.SUBPATTERN:
            yield from _write(value[3], variant)
        elif code is _codes.ATOMIC_GROUP:
            yield from _write(value, variant)
        elif code is _codes.BRANCH:
            yield from _write(value[1][variant % len(value[1])], variant)


def _member(items: Sequence[tuple[Any, Any]], variant: int) -> str:
    """A character of a class: a letter or a digit if the class has one."""
    tries = "xy7a1-" if not variant else "yx8b2_"
    chosen = re.compile(_class_of(items))
    found = [char for char in map(chr, range(32, 127)) if chosen.fullmatch(char)]
    return next((char for char in tries if char in found), found[0] if found else "x")


def _class_of(items: Sequence[tuple[Any, Any]]) -> str:
    """The class written down again."""
    out = ""
    for code, value in items:
        if code is _codes.NEGATE:
            out = "^" + out
        elif code is _codes.LITERAL:
            out += re.escape(chr(value))
        elif code is _codes.RANGE:
            out += f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
        elif code is _codes.CATEGORY:
            out += _CATEGORIES.get(value, r"\w")
    return f"[{out}]"


_CATEGORIES = {
    _codes.CATEGORY_DIGIT: r"\d",
    _codes.CATEGORY_NOT_DIGIT: r"\D",
    _codes.CATEGORY_SPACE: r"\s",
    _codes.CATEGORY_NOT_SPACE: r"\S",
    _codes.CATEGORY_WORD: r"\w",
    _codes.CATEGORY_NOT_WORD: r"\W",
}


def name_of(handler: object) -> str:
    """``module.name`` of a function, a class or an object."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not (inspect.isroutine(handler) or inspect.isclass(handler)):
        handler = type(handler)
    name = str(getattr(handler, "__qualname__", type(handler).__name__)).replace("<locals>.", "")
    return f"{getattr(handler, '__module__', '?')}.{name}"


def unread(prefix: str, app: object) -> AppRoute:
    """One route for an app inside the app that cannot be read: everything below the prefix."""
    methods = frozenset({"GET", "HEAD"}) if type(app).__name__ == "StaticFiles" else None
    samples = (f"{prefix}/a/b.txt", f"{prefix}/c/d.txt")
    return AppRoute(
        path=f"{prefix}/{{path:path}}", methods=methods, handler=name_of(app), kind="mount", samples=samples
    )


def speaks_of_change(handler: Any, calls: int = 2) -> bool:
    """Whether the code of a handler names a method that changes state, or reads a form or a body; or that of a function
    of the same package that it names, so many ``calls`` deep."""
    for _ in range(10):
        code = _code_of(handler)
        if code is not None and _SAID_OF_CHANGE & {*code.co_names, *(c for c in code.co_consts if isinstance(c, str))}:
            return True
        if calls and any(speaks_of_change(one, calls - 1) for one in _own_functions(handler, code)):
            return True
        handler = getattr(handler, "func", None) or getattr(handler, "__wrapped__", None)
        if handler is None:
            return False
    return False


def _code_of(handler: Any) -> Any:
    """Of a function, or of an object that is called as one."""
    called = handler if hasattr(handler, "__code__") or not callable(handler) else type(handler).__call__
    return getattr(called, "__code__", None)


def _own_functions(handler: Any, code: Any) -> list[Any]:
    """The functions of a handler's own package that its code names."""
    known = getattr(handler, "__globals__", {})
    own = str(getattr(handler, "__module__", "")).partition(".")[0]
    named = [known[name] for name in code.co_names if name in known] if code is not None else []
    return [one for one in named if type(one) is FunctionType and one.__module__.partition(".")[0] == own]


def asks_itself(handler: Any, *before: Any) -> bool:
    """Whether a handler, or what is called before it, is decorated with this package's demand for a proof, or calls for
    one in its own code. Of a class: whether everything does that changes state."""
    if inspect.isclass(handler):
        changing = [getattr(handler, name) for name in _CHANGING if callable(getattr(handler, name, None))]
        around = getattr(handler, "dispatch", None) or getattr(handler, "dispatch_request", None)
        return asks_itself(around, *before) or (bool(changing) and all(map(asks_itself, changing)))
    for _ in range(10):
        if type(handler).__module__.startswith("stepup_mw.") or any(map(_is_demand, _closed_over(handler))):
            return True
        if _calls_for_proof(handler):
            return True
        handler = getattr(handler, "__wrapped__", None)
        if handler is None:
            return any(asks_itself(one) for one in before)
    return False


def _closed_over(handler: Any) -> list[Any]:
    cells = getattr(handler, "__closure__", None) or ()
    return [cell.cell_contents for cell in cells if _is_full(cell)]


def _is_full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # not filled in yet
        return False


def _is_demand(value: object) -> bool:
    """Of a decorator, what it is told; or the decorator, handed to another one. Looks at types alone: to ask a proxy of
    Flask's anything is an error here."""
    if type(value) is list or type(value) is tuple:
        return any(map(_is_demand, value))
    if type(value) is functools.partial:
        return any(map(_is_demand, value.args))
    named = value if type(value) is FunctionType else type(value)
    is_ours = named.__module__.startswith("stepup_mw.")
    return is_ours and named.__qualname__.partition(".")[0] in ("Wanting", "Decorator", "stepup_required")


def _calls_for_proof(handler: Any) -> bool:
    """Whether the code of a function names ``require`` of this package."""
    code = getattr(handler, "__code__", None)
    if code is None or not _DEMANDS & {*code.co_names}:
        return False
    known = getattr(handler, "__globals__", {})
    if "stepup_mw" in code.co_names:
        return True
    named = [known[name] for name in code.co_names if name in known]
    modules = [one.__name__ for one in named if type(one) is ModuleType]
    functions = [one.__module__ for one in named if type(one) is FunctionType]
    return "stepup_mw" in modules or "stepup_mw.required" in functions


def endpoint_methods(handler: object, names: Sequence[str]) -> frozenset[str]:
    """The methods that a class-based handler has functions for. A GET function answers HEAD."""
    found = {name.upper() for name in names if callable(getattr(handler, name.lower(), None))}
    return frozenset(found | ({"HEAD"} if "GET" in found else set()))


def fill(path: str, value: Callable[[str, str], str]) -> str:
    """A path in the syntax of rules with ``value(name, kind)`` in the place of each parameter."""
    return _PARAMETER.sub(lambda match: value(match[1], match[2] or "str"), path)


_PARAMETER = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-zA-Z_][a-zA-Z0-9_]*))?\}")
