"""Reads the URL maps of Werkzeug, on which Flask and Quart are built, and its dispatcher of WSGI apps by prefix."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from werkzeug.routing.converters import NumberConverter

from . import AppRoute, Hit, Native, Router
from .texts import asks_itself, endpoint_methods, example_of, name_of, speaks_of_change, unread

_PARAMETER = re.compile(r"<(?:([a-zA-Z_][a-zA-Z0-9_]*)(?:\([^>]*\))?:)?([a-zA-Z_][a-zA-Z0-9_]*)>")
_KINDS = {"IntegerConverter": "int", "FloatConverter": "float", "UUIDConverter": "uuid", "PathConverter": "path"}
_VIEW = ("get", "head", "post", "put", "patch", "delete", "options")


class MapRouter:
    """A Flask or Quart app's URL map. ``match`` gives the request after the app's own matching."""

    root_path = ""

    def __init__(
        self, app: Any, framework: str, interface: Literal["asgi", "wsgi"], match: Callable[[Any, Native], Any]
    ) -> None:
        self.framework = framework
        self.interface: Literal["asgi", "wsgi"] = interface
        self._app = app
        self._match = match
        self._by_rule = {id(rule): self._app_route(rule) for rule in app.url_map.iter_rules() if not rule.build_only}
        self.routes = tuple(self._by_rule.values())

    def dispatch(self, native: Native) -> Hit | None:
        request = self._match(self._app, native)
        rule = getattr(request, "url_rule", None)
        if rule is None or getattr(request, "routing_exception", None) is not None:
            return None
        if getattr(rule, "provide_automatic_options", False) and getattr(request, "method", "") == "OPTIONS":
            return None
        return Hit(self._by_rule[id(rule)], {key: str(value) for key, value in (request.view_args or {}).items()})

    def _app_route(self, rule: Any) -> AppRoute:
        view = self._app.view_functions.get(rule.endpoint)
        methods = frozenset(rule.methods) if rule.methods is not None else None
        if methods is not None and getattr(rule, "provide_automatic_options", False):
            methods -= {"OPTIONS"}
        cls = getattr(view, "view_class", None)
        if methods is None and cls is not None:
            methods = endpoint_methods(cls, _VIEW)
        return AppRoute(
            path=_PARAMETER.sub(lambda match: _template(rule, match[2]), rule.rule),
            methods=frozenset({"GET"}) if rule.websocket else methods,
            handler=_named(rule, cls or view),
            kind="websocket" if rule.websocket else "http",
            samples=tuple(dict.fromkeys(_shown(rule, rule.rule, variant) for variant in (0, 1))),
            host=self._host(rule),
            changes=speaks_of_change(view),
            asks=asks_itself(view) or (cls is not None and asks_itself(cls)),
            moved=rule.redirect_to is not None,
        )

    def _host(self, rule: Any) -> str:
        """The one that the rule needs: its own, or its subdomain of the name that the app says it has."""
        if rule.host is not None:
            return _shown(rule, rule.host, 0)
        name = self._app.config.get("SERVER_NAME")
        below = f"{_shown(rule, rule.subdomain, 0)}." if rule.subdomain else ""
        return below + (name or "localhost") if below or (name and self._app.subdomain_matching) else ""


def _named(rule: Any, view: Any) -> str:
    name = name_of(view) if view is not None else rule.endpoint
    return name.replace("__init__.<lambda>", rule.endpoint)  # the static files of Flask


def _template(rule: Any, name: str) -> str:
    converter = rule._converters[name]  # noqa: SLF001 - a Rule shows its converters in no other way
    kind = next((_KINDS[cls.__name__] for cls in type(converter).__mro__ if cls.__name__ in _KINDS), "str")
    if kind == "str" and not getattr(converter, "part_isolating", True):
        kind = "path"
    return f"{{{name}}}" if kind == "str" else f"{{{name}:{kind}}}"


def _shown(rule: Any, text: str, variant: int) -> str:
    def value(match: re.Match[str]) -> str:
        converter = rule._converters[match[2]]  # noqa: SLF001 - as above
        if type(converter).__name__ == "PathConverter":
            return ("a/b.txt", "c/d.txt")[variant]
        if type(converter).__name__ in ("UnicodeConverter", "DefaultConverter") and converter.regex.endswith("{1,}"):
            return ("x7", "y8")[variant]
        return _number(converter, variant) or example_of(converter.regex, variant)

    return _PARAMETER.sub(value, text)


def _number(converter: Any, variant: int) -> str:
    """Within the bounds of a converter of numbers, in as many digits as it wants; "" for any other converter."""
    if not isinstance(converter, NumberConverter):
        return ""
    least, most = converter.min, converter.max
    number = 7 + variant if least is None else least + variant
    return str(converter.to_url(number if most is None else min(number, most)))


class PrefixRouter:
    """``werkzeug.middleware.dispatcher.DispatcherMiddleware``: apps by the longest prefix of the path."""

    framework = "werkzeug"
    interface: Literal["asgi", "wsgi"] = "wsgi"
    root_path = ""

    def __init__(self, app: Any, find: Callable[[Any], Router | None]) -> None:
        self._inner = [
            _Prefixed("", app.app, find),
            *(_Prefixed(prefix, one, find) for prefix, one in app.mounts.items()),
        ]
        self.routes = tuple(route for one in self._inner for route in one.routes)

    def dispatch(self, native: Native) -> Hit | None:
        from werkzeug.middleware.dispatcher import DispatcherMiddleware  # noqa: PLC0415 - only for an app that has it

        found: list[Hit | None] = []

        def stand_in(one: _Prefixed) -> Any:
            def app(environ: Native, _start_response: Any) -> list[bytes]:
                found.append(one.dispatch(environ))
                return []

            return app

        first, *mounts = self._inner
        inner = {one.prefix: stand_in(one) for one in mounts}
        DispatcherMiddleware(stand_in(first), inner)(dict(native), lambda *_: lambda _: None)
        return found[0] if found else None


class _Prefixed:
    """One app of them with its routes below the prefix; one that cannot be read has one for all that it may have."""

    def __init__(self, prefix: str, app: Any, find: Callable[[Any], Router | None]) -> None:
        self.prefix = prefix
        self._router = find(app)
        read = self._router.routes if self._router is not None else [unread("", app)]
        self._own = {
            route: replace(route, path=prefix + route.path, samples=tuple(prefix + sample for sample in route.samples))
            for route in read
        }
        self.routes = tuple(self._own.values())

    def dispatch(self, environ: Native) -> Hit | None:
        if self._router is None:
            return Hit(self.routes[0], {})
        hit = self._router.dispatch(environ)
        return Hit(self._own[hit.route], hit.params) if hit is not None else None
