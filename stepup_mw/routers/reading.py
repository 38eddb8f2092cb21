"""From an app to its router: what framework an app is of, and what stands around it.

Looks at the names of classes only, so that no framework is imported but the app's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..doors.nesting import inwards
from . import Router

_OURS = "stepup_mw."

Make = Callable[[Any, Callable[[Any], Router | None]], Router | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """``router`` is None for an app of no known framework. ``around``: the classes of what stands around it, which may
    change what the router is asked; outermost first. ``found``: the class that cannot be read, "" else."""

    router: Router | None
    around: tuple[str, ...] = ()
    found: str = ""


def read_app(app: Any) -> Reading:
    """The router of an app, through the middlewares around it. Runs none of them, and no handler."""
    around: list[str] = []
    for inner in inwards(app):
        router = _claim(inner)
        if router is not None:
            return Reading(router=router, around=tuple(around))
        if not type(inner).__module__.startswith(_OURS):
            around.append(_class_name(type(inner)))
    return Reading(router=None, around=tuple(around[:-1]), found=around[-1] if around else "")


def find(app: Any) -> Router | None:
    """The same for an app inside an app."""
    return read_app(app).router


def _claim(app: Any) -> Router | None:
    for cls in type(app).__mro__:
        make = _READERS.get((cls.__module__.partition(".")[0], cls.__name__))
        if make is not None:
            return make(app, find)
    return None


def _of(module: str, maker: str, *, nested: bool = False) -> Make:
    def make(app: Any, inner: Callable[[Any], Router | None]) -> Router | None:
        made = getattr(import_module(f"{__package__}.{module}"), maker)
        router: Router = made(app, inner) if nested else made(app)
        return router

    return make


def _bridge(maker: str, attribute: str) -> Make:
    def make(app: Any, inner: Callable[[Any], Router | None]) -> Router | None:
        wsgi = getattr(app, attribute)
        router = inner(wsgi)
        if router is None:
            return None
        made: Router = getattr(import_module(f"{__package__}.bridges"), maker)(router, wsgi)
        return made

    return make


_READERS: dict[tuple[str, str], Make] = {
    ("starlette", "Starlette"): _of("starlette", "StarletteRouter", nested=True),
    ("starlette", "Router"): _of("starlette", "StarletteRouter", nested=True),
    ("litestar", "Litestar"): _of("litestar", "LitestarRouter"),
    ("quart", "Quart"): _of("quart", "read"),
    ("flask", "Flask"): _of("flask", "read"),
    ("django", "WSGIHandler"): _of("django", "DjangoRouter"),
    ("django", "ASGIHandler"): _of("django", "DjangoRouter"),
    ("werkzeug", "DispatcherMiddleware"): _of("werkzeug", "PrefixRouter", nested=True),
    ("a2wsgi", "WSGIMiddleware"): _bridge("a2wsgi", "app"),
    ("asgiref", "WsgiToAsgi"): _bridge("asgiref", "wsgi_application"),
    ("starlette", "WSGIMiddleware"): _bridge("starlette", "app"),
}


def _class_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("builtins.")
