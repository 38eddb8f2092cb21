"""Reads a WSGI app inside an ASGI bridge: the environ is the one that the bridge itself makes of the scope."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal

from . import Hit, Native, Router

Build = Callable[[Native], Native]


class BridgeRouter:
    interface: Literal["asgi", "wsgi"] = "asgi"
    root_path = ""

    def __init__(self, inner: Router, build: Build, name: str) -> None:
        self._inner = inner
        self._build = build
        self.framework = f"{inner.framework} inside {name}"
        self.routes = inner.routes

    def dispatch(self, native: Native) -> Hit | None:
        if native["type"] != "http":
            return None
        try:
            environ = self._build(native)
        except (ValueError, UnicodeError):  # a request that the bridge itself cannot hand on
            return None
        return self._inner.dispatch(environ)


def a2wsgi(inner: Router, _app: Any) -> BridgeRouter:
    from a2wsgi.wsgi import build_environ  # noqa: PLC0415 - only for an app that has it

    def build(scope: Native) -> Native:
        environ: Any = build_environ(scope, io.BytesIO())  # type: ignore[arg-type]
        return dict(environ)

    return BridgeRouter(inner, build, "a2wsgi")


def asgiref(inner: Router, app: Any) -> BridgeRouter:
    from asgiref.wsgi import WsgiToAsgiInstance  # noqa: PLC0415 - only for an app that has it

    _untyped: Any = WsgiToAsgiInstance

    def build(scope: Native) -> Native:
        instance: Any = _untyped(app)
        instance.scope = scope
        return dict(instance.build_environ(scope, io.BytesIO()))

    return BridgeRouter(inner, build, "asgiref")


def starlette(inner: Router, _app: Any) -> BridgeRouter:
    from starlette.middleware.wsgi import build_environ  # noqa: PLC0415 - warns that a2wsgi has taken its place

    return BridgeRouter(inner, lambda scope: build_environ(scope, b""), "starlette's WSGI bridge")
