"""The Flask extension: ``StepUp(app)``, or ``StepUp()`` and ``init_app(app)``. Puts the WSGI door around the app.

With ``provider = "flask"`` the app's own session says who asks. ``@stepup_required`` asks before a view,
``stepup_mw.require_sync(request, …)`` inside of one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, request

from .app_secrets import SecretProvider
from .decorating import Decorator
from .errors import StepUpError
from .wsgi import StepUpMiddleware

__all__ = ["StepUp", "stepup_required"]

_NAME = "stepup"


class StepUp:
    """config: a path, a mapping of the same shape, or a loaded Config; left out, ``app.config["STEPUP_CONFIG"]``, else
    ``STEPUP_CONFIG`` of the environment, else ``stepup.toml``. clock and secrets: as ``stepup_mw.wsgi`` has them."""

    def __init__(
        self,
        app: Flask | None = None,
        config: Any = None,
        *,
        clock: Callable[[], float] = time.time,
        secrets: SecretProvider | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._secrets = secrets
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the middleware around an app. ConfigError where the configuration must not start."""
        if _NAME in app.extensions:
            raise StepUpError("StepUp: this app has the extension already")
        config = self._config if self._config is not None else app.config.get("STEPUP_CONFIG")
        source = config if config is not None else os.environ.get("STEPUP_CONFIG") or "stepup.toml"
        middleware = StepUpMiddleware(app.wsgi_app, source, clock=self._clock, secrets=self._secrets)
        app.wsgi_app = middleware  # type: ignore[method-assign]  # the way that Flask's documentation names
        app.extensions[_NAME] = middleware

    @staticmethod
    def middleware_of(app: Flask) -> StepUpMiddleware:
        """The middleware that stands around an app: to reload it, or to close it."""
        found = app.extensions[_NAME]
        if not isinstance(found, StepUpMiddleware):
            raise StepUpError('StepUp: another extension is named "stepup"')
        return found


stepup_required = Decorator(lambda _args: request)
"""For a view, below ``@app.route``."""
