"""The ASGI middleware: ``app = StepUpMiddleware(app)``, or ``app.add_middleware(StepUpMiddleware, config=…)``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .app_secrets import SecretProvider
from .compose import Assembly, assemble
from .doors.asgi import App, AsgiDoor

__all__ = ["StepUpMiddleware"]


class StepUpMiddleware(AsgiDoor):
    """Wraps an ASGI app.

    config: a path, a mapping of the same shape, or a loaded Config. clock: gives Unix seconds (for tests).
    secrets: your own store of authenticators (``stepup_mw.app_secrets``).
    ConfigError where the configuration must not start. Works with and without lifespan events, and after a fork.
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

    async def reload(self, config: Any = None) -> None:
        """Read the configuration again, from where it came unless told otherwise. ConfigError leaves the running
        policy in force; both ends are on record."""
        self.assembly.start()
        await self.assembly.reload_from(config)
