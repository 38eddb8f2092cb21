"""The WSGI middleware: ``StepUpMiddleware(app)``; for Flask, ``app.wsgi_app = StepUpMiddleware(app.wsgi_app)``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .app_secrets import SecretProvider
from .compose import Assembly, assemble
from .doors.wsgi import App, WsgiDoor

__all__ = ["StepUpMiddleware"]


class StepUpMiddleware(WsgiDoor):
    """Wraps a WSGI app.

    config: a path, a mapping of the same shape, or a loaded Config. clock: gives Unix seconds (for tests).
    secrets: your own store of authenticators (``stepup_mw.app_secrets``).
    ConfigError where the configuration must not start. Works in threads, in many workers, and after a fork.
    """

    def __init__(
        self,
        app: App,
        config: Any = "stepup.toml",
        *,
        clock: Callable[[], float] = time.time,
        secrets: SecretProvider | None = None,
    ) -> None:
        self.assembly: Assembly = assemble(config, clock=clock, secrets=secrets)
        super().__init__(app, self.assembly)

    def reload(self, config: Any = None) -> None:
        """Read the configuration again, from where it came unless told otherwise. ConfigError leaves the running
        policy in force; both ends are on record."""
        self.assembly.start()
        self.assembly.driver.call(self.assembly.reload_from, config)
