"""Apps inside apps: what a middleware stands around, and the root path that an app at the core gives itself."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Iterator
from typing import Any

_INSIDE = ("app", "wsgi_app", "wsgi_application", "application", "asgi_app", "asgi", "_app", "__wrapped__")
"""Where middlewares keep the app they stand around."""

_MOST = 32


def inwards(app: Any) -> Iterator[Any]:
    """The app, what it stands around, and so on. Flask's and Quart's are looked for in what was put around their own
    ``wsgi_app`` or ``asgi_app``, which is a method of theirs."""
    for _ in range(_MOST):
        overlay = _overlay(app)
        if overlay is not None:
            app = overlay
            continue
        if isinstance(app, functools.partial):
            app = app.func
            continue
        if inspect.ismethod(app):
            yield app.__self__
            return
        yield app
        inner = next((found for name in _INSIDE if callable(found := getattr(app, name, None))), None)
        if inner is None or inner is app:
            return
        app = inner


def core_of(app: Any) -> Any:
    """The innermost app: Flask's own object, whatever stands around its ``wsgi_app``."""
    inner = app
    for inner in inwards(app):  # noqa: B007 - the last one is what is wanted
        pass
    return inner


def _overlay(app: Any) -> Any:
    own = getattr(app, "__dict__", {})
    return next((own[name] for name in ("wsgi_app", "asgi_app") if name in own and hasattr(type(app), name)), None)


def own_root_path(app: Any) -> str:
    """The root path that an ASGI app puts in the place of the server's; "" for none.

    FastAPI(root_path="/api") answers /api/x and /x alike, whatever the server says; Django with FORCE_SCRIPT_NAME too.
    A gate around it has to read paths as it does.
    """
    for inner in inwards(app):
        module = type(inner).__module__
        if any(cls.__module__ == "fastapi.applications" for cls in type(inner).__mro__):
            return str(inner.root_path or "")
        if module.startswith("django.core.handlers") and "django.conf" in sys.modules:
            settings: Any = sys.modules["django.conf"].settings
            return str(getattr(settings, "FORCE_SCRIPT_NAME", None) or "")
    return ""
