"""Reads Starlette and FastAPI: routes, mounts and hosts, as deep as they go.

The matching is each route's own ``matches``; the loop around it is that of ``starlette.routing.Router.app``: the first
full match, else a partial one, which is the 405.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

from starlette.routing import BaseRoute, Host, Match, Mount, Route, WebSocketRoute

from . import AppRoute, Hit, Native, Router
from .texts import asks_itself, endpoint_methods, example_of, fill, name_of, speaks_of_change, unread

Find = Callable[[Any], Router | None]
"""Finds the reader of an app inside this one."""

_ENDPOINT = ("get", "head", "post", "put", "patch", "delete", "options", "query")
_ANNOTATED: dict[Any, str] = {int: "int", float: "float", uuid.UUID: "uuid"}
_KINDS = {"str": "str", "path": "path", "int": "int", "float": "float", "uuid": "uuid"}


class StarletteRouter:
    framework = "starlette"
    interface: Literal["asgi", "wsgi"] = "asgi"

    def __init__(self, app: Any, find: Find) -> None:
        self.framework = "fastapi" if type(app).__module__.startswith("fastapi") else "starlette"
        self.root_path = str(getattr(app, "root_path", "") or "")
        self._find = find
        self._nodes: list[_Node] = list(self._read(getattr(app, "router", app)))
        self.routes = tuple(route for node in self._nodes for route in node.routes)

    def _read(self, router: Any) -> Iterator[_Node]:
        for route in _flat(router.routes):
            if isinstance(route, Mount):
                yield self._mounted(route, _template(route.path, route.param_convertors))
            elif isinstance(route, Host):
                yield self._mounted(route, "", host=example_of(route.host_regex.pattern))
            else:
                yield _Node(route, (_leaf(route),))
        default = router.default
        if getattr(default, "__func__", None) is not getattr(type(router), "not_found", None):
            yield _Node(None, (unread("", default),))

    def _mounted(self, route: Any, prefix: str, host: str = "") -> _Node:
        """An app below a path or a host: read too if that can be, else one route that stands for all of it."""
        below = self._find(route.app)
        if below is None:
            own = unread(prefix.rstrip("/"), route.app)
            return _Node(route, (replace(own, samples=_samples(own.path, {}), host=host),))
        return _Node(route, tuple(_under(prefix, host, inner, self.root_path) for inner in below.routes), below)

    def dispatch(self, native: Native) -> Hit | None:
        if native["type"] not in ("http", "websocket"):
            return None
        if self.root_path:
            native["root_path"] = self.root_path
        for node in self._nodes:
            if node.route is None:
                return Hit(node.routes[0], {})
            match, child = node.route.matches(native)
            if match is Match.FULL:
                native.update(child)
                return node.hit(native)
        return None


class _Node:
    """A route of the app with what it stands for here; ``below`` reads the app that is mounted there."""

    def __init__(self, route: Any, routes: tuple[AppRoute, ...], below: Router | None = None) -> None:
        self.route = route
        self.routes = routes
        self.below = below
        self._own = dict(zip(below.routes, routes, strict=True)) if below is not None else {}

    def hit(self, native: Native) -> Hit | None:
        params = {key: str(value) for key, value in native.get("path_params", {}).items()}
        if self.below is None:
            own = self.routes[0]
            return Hit(own, params) if _runs(native, own) and _valid(self.route, native) else None
        found = self.below.dispatch(native)
        return Hit(self._own[found.route], {**params, **found.params}) if found is not None else None


def _runs(native: Native, own: AppRoute) -> bool:
    return native["type"] == "websocket" or own.methods is None or native["method"] in own.methods


def _valid(route: Any, native: Native) -> bool:
    """FastAPI types a parameter by the function's annotation, and answers 422 in its place to what is none."""
    return not any(
        field.validate(native["path_params"].get(field.alias), {}, loc=("path",))[1] for field in _typed(route)
    )


def _typed(route: Any) -> list[Any]:
    """The path parameters that the handler of a FastAPI route and what it depends on ask for."""
    return [field for dependant in _dependants(route) for field in dependant.path_params]


def _dependants(route: Any) -> list[Any]:
    """What FastAPI calls for a route: the handler, and all that it depends on."""
    own = getattr(route, "dependant", None)
    todo: list[Any] = [own] if own is not None else []
    for dependant in todo:  # grows while it is read
        todo += dependant.dependencies
    return todo


def _flat(routes: Sequence[Any]) -> Sequence[Any]:
    """FastAPI includes routers lazily; in this order the first match is the same one."""
    if all(type(route).__module__.startswith("starlette.") for route in routes):
        return routes
    try:
        from fastapi.routing import iter_route_contexts  # noqa: PLC0415 - the younger FastAPI has it
    except ImportError:
        return routes
    return [getattr(context, "_effective_route", context) for context in iter_route_contexts(routes)]


def _leaf(route: BaseRoute | Any) -> AppRoute:
    convertors = getattr(route, "param_convertors", {})
    fields = _typed(route)
    typed = {field.alias: field.field_info.annotation for field in fields}
    path = _template(getattr(route, "path", "/"), convertors, typed)
    endpoint = getattr(route, "endpoint", route)
    is_socket = isinstance(route, WebSocketRoute)
    methods = getattr(route, "methods", None)
    if methods is None and isinstance(route, Route) and isinstance(endpoint, type):
        methods = endpoint_methods(endpoint, _ENDPOINT)
    return AppRoute(
        path=path,
        methods=frozenset({"GET"}) if is_socket else frozenset(methods) if methods else None,
        handler=name_of(endpoint),
        kind="websocket" if is_socket else "http",
        samples=_samples(path, convertors, _values(fields, convertors)),
        changes=speaks_of_change(endpoint) or not (methods or is_socket),
        asks=asks_itself(endpoint, *(dependant.call for dependant in _dependants(route))),
    )


def _template(path: str, convertors: dict[str, Any], typed: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The path with types that rules know; another type is a text, or a tree if it takes slashes."""

    def shown(name: str, kind: str) -> str:
        kind = _ANNOTATED.get(typed.get(name), kind) if kind == "str" else kind
        known = _KINDS.get(kind) or ("path" if "/" in example_of(convertors[name].regex) else "str")
        return f"{{{name}}}" if known == "str" else f"{{{name}:{known}}}"

    return fill(path, shown)


def _values(fields: list[Any], convertors: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What FastAPI takes for each parameter that it types."""
    if not fields:
        return {}
    from .typed import texts_for  # noqa: PLC0415 - for FastAPI only

    names = dict.fromkeys(field.alias for field in fields if field.alias in convertors)
    return {
        name: texts_for([field for field in fields if field.alias == name], convertors[name].regex) for name in names
    }


def _samples(
    path: str, convertors: dict[str, Any], values: Mapping[str, tuple[str, ...]] = MappingProxyType({})
) -> tuple[str, ...]:
    """Two paths that should reach a route. ``values``: the texts to take for a parameter, where they are known."""
    own = {name: convertor.regex for name, convertor in convertors.items()}
    simple = {"path": ("a/b.txt", "c/d.txt"), "str": ("x7", "y8"), "int": ("7", "8"), "float": ("7.5", "8.5")}

    def sample(variant: int) -> str:
        def value(name: str, kind: str) -> str:
            if values.get(name):
                return values[name][min(variant, len(values[name]) - 1)]
            if kind in simple and (kind != "str" or own.get(name, "[^/]+") == "[^/]+"):
                return simple[kind][variant]
            if kind == "uuid":
                return f"12345678-1234-5678-1234-56781234567{variant}"
            return example_of(own[name], variant) if name in own else simple["str"][variant]

        return fill(path, value)

    return tuple(dict.fromkeys(sample(variant) for variant in (0, 1)))


def _under(prefix: str, host: str, route: AppRoute, root_path: str) -> AppRoute:
    """A route of a mounted app, as the app around it has it. What is mounted in an app with a root path of its own is
    found below that only; the app's own routes are found with it and without."""
    samples = [root_path + sample for sample in (_samples(prefix, {}) * 2)[:2]] if prefix else [root_path] * 2
    return replace(
        route,
        path=prefix.rstrip("/") + route.path,
        samples=tuple(samples[min(number, 1)] + sample for number, sample in enumerate(route.samples)),
        host=host or route.host,
    )
