"""Reads Quart: the request its ASGI side makes of a scope, matched as it matches it."""

from __future__ import annotations

from typing import Any

from . import Native
from .werkzeug import MapRouter


def read(app: Any) -> MapRouter:
    return MapRouter(app, "quart", "asgi", _match)


def _match(app: Any, native: Native) -> Any:
    native.setdefault("http_version", "1.1")
    if native["type"] == "websocket":
        asked = app.asgi_websocket_class(app, native)._create_websocket_from_scope(_never)  # noqa: SLF001
        context = app.websocket_context(asked)
    else:
        asked = app.asgi_http_class(app, native)._create_request_from_scope(_never)  # noqa: SLF001
        context = app.request_context(asked)
    if context.url_adapter is not None:
        context.match_request()
    return asked


async def _never(*_: Any) -> None:
    raise AssertionError("nothing is sent here")
