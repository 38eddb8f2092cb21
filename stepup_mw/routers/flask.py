"""Reads Flask: its own request object and its own matching, without a context pushed or a function run."""

from __future__ import annotations

from typing import Any

from . import Native
from .werkzeug import MapRouter


def read(app: Any) -> MapRouter:
    return MapRouter(app, "flask", "wsgi", _match)


def _match(app: Any, native: Native) -> Any:
    context = app.request_context(native)
    if getattr(context, "url_adapter", None) is not None:
        context.match_request()
    return context.request
