"""Reads Django: the request its handler makes, resolved by the URL configuration. No middleware and no view is run."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from django.core.exceptions import BadRequest, SuspiciousOperation  # type: ignore[import-untyped]
from django.http import Http404  # type: ignore[import-untyped]
from django.urls import get_resolver  # type: ignore[import-untyped]
from django.urls.resolvers import (  # type: ignore[import-untyped]
    LocalePrefixPattern,
    RoutePattern,
    URLPattern,
    URLResolver,
)
from django.views.generic import RedirectView  # type: ignore[import-untyped]

from . import AppRoute, Hit, Native
from .django_languages import LANGUAGE, Languages
from .expressions import path_of
from .texts import asks_itself, endpoint_methods, example_of, name_of, speaks_of_change

_VIEW = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
_CONVERTERS = {"IntConverter": "int", "UUIDConverter": "uuid", "PathConverter": "path"}
_WIDE = re.compile(r"\{\w+:path\}")
_OTHER = re.compile(r"\{any\d*")
_ROUTE_PARAMETER = re.compile(r"<(?:[^>:]+:)?([^>]+)>")


class DjangoRouter:
    framework = "django"

    def __init__(self, handler: Any) -> None:
        self.interface: Literal["asgi", "wsgi"] = "asgi" if "ASGI" in type(handler).__name__ else "wsgi"
        self._handler = handler
        self.root_path = _forced() if self.interface == "asgi" else ""
        self._resolver = get_resolver()
        self._by_view: dict[tuple[int, str], AppRoute] = {}
        self._languages = Languages()
        self.routes = tuple(self._read())

    def _read(self) -> list[AppRoute]:
        """A path that is another one in another language is another route; a prefix for the language is a parameter."""
        routes: dict[tuple[int, str], AppRoute] = {}
        written: dict[tuple[int, str], list[tuple[int, str]]] = {}
        for language in self._languages.all:
            with self._languages.speaking(language):
                for patterns, view, here in _leaves(self._resolver.url_patterns, [], ""):
                    own, prefix = _app_route(patterns, view), _prefix(patterns)
                    earlier = routes.setdefault((id(view), own.path), own)
                    if prefix and own.samples[0] not in earlier.samples:
                        routes[id(view), own.path] = replace(earlier, samples=(*earlier.samples, own.samples[0]))
                    written.setdefault((id(view), own.path), []).append((id(view), here))
        self._by_view = {key: routes[route] for route, keys in written.items() for key in keys}
        return list(routes.values())

    def dispatch(self, native: Native) -> Hit | None:
        body = io.BytesIO()
        if native.get("type", "http") != "http":
            return None
        try:
            if self.interface == "asgi":
                request = self._handler.request_class(native, body)
            else:
                native.setdefault("wsgi.input", body)
                request = self._handler.request_class(native)
            with self._languages.speaking(language := self._languages.of(request.path_info)):
                match = self._resolver.resolve(request.path_info)
        except (Http404, BadRequest, SuspiciousOperation, UnicodeError):
            return None
        own = self._by_view.get((id(match.func), match.route))
        if own is None:
            return None
        if own.methods is not None and request.method not in own.methods:
            return None
        texts = {f"arg{number}": str(value) for number, value in enumerate(match.args)} | {LANGUAGE: language or ""}
        return Hit(own, texts | {key: str(value) for key, value in match.kwargs.items() if value is not None})


def _leaves(patterns: Sequence[Any], above: list[Any], route: str) -> Iterator[tuple[list[Any], Any, str]]:
    """Each view with the patterns that lead to it, and its route as a match has it."""
    for entry in patterns:
        here = route + (str(entry.pattern).removeprefix("^") if route else str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _leaves(entry.url_patterns, [*above, entry.pattern], here)
        elif isinstance(entry, URLPattern):
            yield [*above, entry.pattern], entry.callback, here


def _prefix(patterns: Sequence[Any]) -> str:
    """The prefix for the language that is spoken now."""
    return "".join(str(pattern) for pattern in patterns if isinstance(pattern, LocalePrefixPattern))


def _forced() -> str:
    from django.conf import settings  # type: ignore[import-untyped]  # noqa: PLC0415 - set up by now

    return str(settings.FORCE_SCRIPT_NAME or "")


def _app_route(patterns: list[Any], view: Any) -> AppRoute:
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    numbers = itertools.count()
    path = "/" + "".join(_template(pattern) for pattern in patterns)
    return AppRoute(
        path=_OTHER.sub(lambda _: f"{{any{next(numbers)}", path),  # a name stands once in a path
        methods=_methods(view, cls),
        handler=name_of(cls or view),
        samples=tuple(
            dict.fromkeys("/" + "".join(_sample(pattern, variant) for pattern in patterns) for variant in (0, 1))
        ),
        changes=speaks_of_change(view),
        asks=asks_itself(view) or (cls is not None and asks_itself(cls)),
    )


def _template(pattern: Any) -> str:
    if isinstance(pattern, LocalePrefixPattern):
        return f"{{{LANGUAGE}}}/" if str(pattern) else ""
    if not isinstance(pattern, RoutePattern):
        if not _is_regex(pattern):
            return str(pattern)
        path = path_of(pattern.regex.pattern, ends=getattr(pattern, "_is_endpoint", True))
        return _open(pattern, path, "{any:path}")

    def shown(match: re.Match[str]) -> str:
        converter = pattern.converters[match[1]]
        kind = _CONVERTERS.get(type(converter).__name__) or ("path" if _takes_slash(converter.regex) else "str")
        return f"{{{match[1]}}}" if kind == "str" else f"{{{match[1]}:{kind}}}"

    return _ROUTE_PARAMETER.sub(shown, str(pattern))


def _is_regex(pattern: Any) -> bool:
    return hasattr(pattern, "_regex")


def _open(pattern: Any, text: str, more: str) -> str:
    """With ``more`` where the expression lets anything stand: Django searches for it in the path."""
    source, path = pattern.regex.pattern, path_of(pattern.regex.pattern)
    before = "" if source.startswith(("^", "\\A")) or _WIDE.match(path) else more
    ends = source.endswith(("$", "\\Z")) or not getattr(pattern, "_is_endpoint", True)
    after = "" if ends or path.endswith(":path}") else more
    return before + text + after


def _takes_slash(expression: str) -> bool:
    return re.fullmatch(expression, "a/b") is not None


def _sample(pattern: Any, variant: int) -> str:
    if not isinstance(pattern, RoutePattern):
        if not _is_regex(pattern):
            return str(pattern)
        text = example_of(pattern.regex.pattern, variant)
        return _open(pattern, text, "y8") if variant else text

    def value(match: re.Match[str]) -> str:
        converter = pattern.converters[match[1]]
        if type(converter).__name__ in ("StringConverter", "SlugConverter"):
            return ("x7", "y8")[variant]
        if type(converter).__name__ == "PathConverter":
            return ("a/b.txt", "c/d.txt")[variant]
        return example_of(converter.regex, variant)

    return _ROUTE_PARAMETER.sub(value, str(pattern))


def _methods(view: Any, cls: Any) -> frozenset[str] | None:
    """What a class-based view has functions for, or what ``require_http_methods`` was told; else None."""
    actions = getattr(view, "actions", None)
    if isinstance(actions, dict):  # a view set of the REST framework
        return frozenset(action.upper() for action in actions) | ({"HEAD"} if "get" in actions else frozenset())
    if cls is RedirectView:
        return frozenset({"GET", "HEAD"})  # it answers the others, too, and does nothing
    if cls is not None:
        names = [name for name in _VIEW if name in getattr(cls, "http_method_names", _VIEW)]
        return endpoint_methods(cls, [name for name in names if name != "options"])
    for _ in range(10):
        for name, cell in zip(_free(view), getattr(view, "__closure__", None) or (), strict=False):
            if name == "request_method_list" and isinstance(cell.cell_contents, list | tuple):
                return frozenset(cell.cell_contents)
        view = getattr(view, "__wrapped__", None)
        if view is None:
            break
    return None


def _free(view: Any) -> tuple[str, ...]:
    code = getattr(view, "__code__", None)
    return code.co_freevars if code is not None else ()
