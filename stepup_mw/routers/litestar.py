"""Reads Litestar. The matching is its ``ASGIRouter.__call__``, up to where it would run what it has found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from litestar.exceptions import HTTPException

from . import AppRoute, Hit, Native
from .texts import LETTERS, asks_itself, name_of, speaks_of_change

_KINDS = {"int": "int", "float": "float", "UUID": "uuid", "Path": "path", "PurePosixPath": "path"}
_SAMPLES = {
    "str": LETTERS,
    "int": ("7", "8"),
    "float": ("7.5", "8.5"),
    "Decimal": ("7.5", "8.5"),
    "UUID": ("12345678-1234-5678-1234-567812345678", "12345678-1234-5678-1234-567812345679"),
    "Path": ("a/b.txt", "c/d.txt"),
    "date": ("2026-01-31", "2026-02-01"),
    "datetime": ("2026-01-31T08:00:00", "2026-02-01T08:00:00"),
    "time": ("08:00:00", "09:00:00"),
    "timedelta": ("7", "8"),
}


class LitestarRouter:
    framework = "litestar"
    interface: Literal["asgi", "wsgi"] = "asgi"
    root_path = ""

    def __init__(self, app: Any) -> None:
        self._router = app.asgi_router
        self._by_handler: dict[tuple[str, str, int], AppRoute] = {}
        self._found: list[Hit] = []
        self.routes = tuple(self._read(app.routes))

    def _read(self, routes: Any) -> Iterator[AppRoute]:
        for route in routes:
            kind = type(route).__name__
            handlers = getattr(route, "route_handlers", None) or [route.route_handler]
            for handler in handlers:
                own = _app_route(route, handler, kind)
                self._by_handler[route.path_format, own.kind, id(handler)] = own
                if own.methods == frozenset({"OPTIONS"}) or own.handler.startswith("stepup_mw."):
                    continue  # Litestar's own answer, or ours: no handler of the app
                yield own

    def dispatch(self, native: Native) -> Hit | None:
        found: list[Any] = []
        proxy = _Proxy(self._router, found)
        native.setdefault("headers", [])
        try:
            _drive(type(self._router).__call__(proxy, native, _never, _never))
        except (HTTPException, ValueError):  # no such route, method or value
            return None
        if not found:
            return None
        kind, handler, params, template = found[0]
        route = self._by_handler.get((template, kind, id(handler)))
        if route is None:
            route = next((own for key, own in self._by_handler.items() if key[2] == id(handler)), None)
        if route is None or route not in self.routes:
            return None
        return Hit(route, {key: str(value) for key, value in params.items()})


class _Proxy:
    """The app's own router, but for its last step: what was found is noted, and nothing of it is run."""

    def __init__(self, router: Any, found: list[Any]) -> None:
        self._router = router
        self._noted = found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._router, name)

    def handle_routing(self, path: str, method: str | None) -> tuple[Any, ...]:
        _, handler, shown, params, template = self._router.handle_routing(path=path, method=method)

        async def note(scope: Any, _receive: Any, _send: Any) -> None:
            kind = "websocket" if scope["type"] == "websocket" else "http"
            kind = "mount" if type(handler).__name__.lower().startswith("asgi") else kind
            self._noted.append((kind, handler, params, template))

        return note, handler, shown, params, template


async def _never(*_: Any) -> Any:
    raise AssertionError("nothing is received or sent here")


def _drive(work: Any) -> None:
    """Run a coroutine that never waits, without an event loop."""
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()


def _app_route(route: Any, handler: Any, kind: str) -> AppRoute:
    path, samples = _template(route)
    asgi = kind == "ASGIRoute"
    methods = frozenset(str(getattr(one, "value", one)) for one in getattr(handler, "http_methods", ()))
    if kind == "WebSocketRoute":
        methods = frozenset({"GET"})
    if asgi and getattr(handler, "is_mount", False):
        path, samples = _mounted(path, samples[0])
    function = getattr(handler.fn, "value", handler.fn)
    return AppRoute(
        path=path,
        methods=None if asgi else methods,
        handler=name_of(function),
        kind="mount" if asgi else "websocket" if kind == "WebSocketRoute" else "http",
        samples=samples,
        changes=speaks_of_change(function),
        asks=asks_itself(function, *(getattr(guard, "value", guard) for guard in handler.resolve_guards())),
    )


def _mounted(path: str, sample: str) -> tuple[str, tuple[str, ...]]:
    """Of a mount: Litestar hands it every path that begins with its own, a slash after it or not."""
    if path == "/":
        return "/{rest:path}", ("/a/b.txt", "/c.txt")
    return path + "{rest:path}", (sample + "/a/b.txt", sample + "x/c.txt")


def _template(route: Any) -> tuple[str, tuple[str, ...]]:
    """The path in the syntax of rules, and two samples of it."""
    path, first, second = "", "", ""
    for part in route.path_components:
        if isinstance(part, str):
            path, first, second = f"{path}/{part}", f"{first}/{part}", f"{second}/{part}"
            continue
        name = part.type.__name__
        kind = _KINDS.get(name, "str")
        one, two = _SAMPLES.get(name, LETTERS)
        path += f"/{{{part.name}}}" if kind == "str" else f"/{{{part.name}:{kind}}}"
        first, second = f"{first}/{one}", f"{second}/{two}"
    return path or "/", tuple(dict.fromkeys([first or "/", second or "/"]))
