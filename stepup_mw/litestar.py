"""The Litestar plugin: ``Litestar(plugins=[StepUpPlugin(config="stepup.toml")])``, and a guard that asks.

The ASGI door stands behind the middlewares of the app that say who the user is. Litestar changes the path of a mounted
app before any middleware sees it; the gate reads the path as it was sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import asgi
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.plugins import InitPlugin
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.utils.scope.state import CONNECTION_STATE_KEY

from .app_secrets import SecretProvider
from .compose import Assembly, assemble
from .decorating import REASON, Action, Wanting
from .doors.asgi import AsgiDoor
from .required import ask

__all__ = ["StepUpPlugin", "stepup_required"]

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]

_OWN = "stepup_mw_prefix"
_CHANGED = "stepup_mw.changed_path"
_OUTER = "stepup_mw.outer_scope"
_AGAIN = "stepup_mw.routed_again"


class StepUpPlugin(InitPlugin):
    """config: a path, a mapping of the same shape, or a loaded Config; left out, ``STEPUP_CONFIG`` of the environment,
    else ``stepup.toml``. clock and secrets: as ``stepup_mw.asgi`` has them. ConfigError where it must not start."""

    def __init__(
        self,
        config: Any = None,
        *,
        clock: Callable[[], float] = time.time,
        secrets: SecretProvider | None = None,
    ) -> None:
        source = config if config is not None else os.environ.get("STEPUP_CONFIG") or "stepup.toml"
        self.assembly: Assembly = assemble(source, clock=clock, secrets=secrets)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Behind the app's other middlewares; under the prefix, which Litestar must find to call them, nothing."""
        app_config.middleware.append(DefineMiddleware(_Middleware, assembly=self.assembly))
        prefix = self.assembly.config.settings.challenge.prefix
        app_config.route_handlers.append(asgi(prefix, is_mount=True, copy_scope=False, opt={_OWN: prefix})(_nothing))
        app_config.on_shutdown.append(self.assembly.aclose)
        return app_config


class _Middleware:
    """The door, which sees the path as it was sent, around the app, which sees it as Litestar left it."""

    def __init__(self, app: ASGIApp, assembly: Assembly) -> None:
        self._app: Any = app
        self._door = AsgiDoor(self._inside, assembly)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        native: Any = scope
        if native.pop(_AGAIN, False):
            await self._app(native, receive, send)
            return
        if _is_own(native):
            native[_OUTER] = native
        sent = _sent(native)
        if sent != native["path"]:
            native[_CHANGED], native["path"] = native["path"], sent
        call: Any = self._door
        try:
            await call(native, receive, send)
        finally:
            native.pop(_OUTER, None)

    async def _inside(self, scope: Any, receive: Any, send: Any) -> None:
        changed = scope.pop(_CHANGED, None)
        outer = scope.pop(_OUTER, None)
        if outer is not None and outer is not scope:
            await _anew(scope, receive, send, outer)
            return
        if changed is not None:
            scope["path"] = changed
        await self._app(scope, receive, send)


async def _anew(scope: Any, receive: Any, send: Any, outer: Any) -> None:
    """A request that was kept, let through by a page of the gate's, which Litestar had found the route of: it finds
    that of the kept one. What that makes of the session counts, not what was there when the code was sent."""

    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start" and "session" in scope:
            outer["session"] = scope["session"]
        await send(message)

    scope["state"] = {name: value for name, value in scope["state"].items() if name != CONNECTION_STATE_KEY}
    scope[_AGAIN] = True
    await scope["app"](scope, receive, sending)


def _is_own(scope: Any) -> bool:
    """Whether Litestar has found one of the gate's own pages."""
    return "route_handler" in scope and bool(scope["route_handler"].opt.get(_OWN))


def _sent(scope: Any) -> str:
    """The whole path as it was sent, decoded once; under the prefix also where the server keeps no raw path."""
    raw = scope.get("raw_path")
    if raw:
        return unquote_to_bytes(raw.partition(b"?")[0]).decode("utf-8", "replace")
    prefix = scope["route_handler"].opt[_OWN] if _is_own(scope) else ""
    path: str = scope["path"]
    return prefix + path.rstrip("/") if prefix else path


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - the form of an ASGI app
    """The gate answers under its prefix, always. What only begins like it comes here too, and is nothing."""
    raise NotFoundException


def stepup_required(
    rule: str | None = None,
    *,
    reason: str = REASON,
    points: int = 0,
    max_age: int | str | None = None,
    action: Action | None = None,
    grant: Literal["request", "route"] | None = None,
) -> Guard:
    """A guard: ``guards=[stepup_required(reason="…")]``. rule: the name of a rule to judge by; the rest as
    ``stepup_mw.require`` has it. action: also a callable, sync, that is given the connection and returns the fields."""
    wanting = Wanting(reason=reason, points=points, max_age=max_age, action=action, rule=rule, grant=grant)

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        await ask(connection, wanting.demand(connection))

    return guard
