"""What the app says to the gate at a log-out or a change of password: the user's grants are void, from now on.

The gates are those that run in this process; where there is none (a task queue, a management command), the one that
the configuration describes, over the store that all processes share. Never says that something is void that is not:
a store or a trail that fails raises.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import start_blocking_portal

from .compose import Assembly, assemble, open_assemblies
from .config import ConfigSource
from .errors import StepUpError
from .revocation import revoke_grants

T = TypeVar("T")


async def revoke(user: str, *, config: ConfigSource | None = None) -> int:
    """Void every grant of a user, and every proof under way; how many grants there were.

    ``user`` as the identity provider names them. ``config``: which gate, where one process has several or none; left
    out, every gate of this process, else ``STEPUP_CONFIG`` or ``stepup.toml``. StoreUnavailable: nothing is void.
    TrailUnavailable: it is void, and not on record. ConfigError: there is no gate, and no configuration of one.
    """
    running = _running(config)
    if running:
        return sum([await revoke_grants(assembly.gate.services, user, by="app") for assembly in running])
    assembly = assemble(_source(config))
    try:
        return await revoke_grants(assembly.gate.services, user, by="app")
    finally:
        await assembly.aclose()


def revoke_sync(user: str, *, config: ConfigSource | None = None) -> int:
    """As ``revoke``, for code without an event loop; it waits for the answer."""
    running = _running(config)
    if running:
        return sum(_wait(assembly, user) for assembly in running)
    assembly = assemble(_source(config))
    try:
        return _wait(assembly, user)
    finally:
        with start_blocking_portal() as portal:
            portal.call(assembly.aclose)


def _wait(assembly: Assembly, user: str) -> int:
    """Through the gate's own loop where it runs, else through one that ends with the call: a program that only says
    a log-out must be able to end."""
    if assembly.started:
        return assembly.driver.call(_void, assembly, user)
    with start_blocking_portal() as portal:
        return portal.call(_void, assembly, user)


async def _void(assembly: Assembly, user: str) -> int:
    return await revoke_grants(assembly.gate.services, user, by="app")


def _running(config: ConfigSource | None) -> tuple[Assembly, ...]:
    found = open_assemblies()
    if config is None:
        return found
    if isinstance(config, str | os.PathLike):
        path = Path(config).resolve()
        return tuple(each for each in found if each.config.path is not None and each.config.path.resolve() == path)
    return tuple(each for each in found if each.config is config)


def _source(config: ConfigSource | None) -> ConfigSource:
    return config if config is not None else os.environ.get("STEPUP_CONFIG") or "stepup.toml"


def revoke_on_logout(
    user: Callable[[Any], str | None], *, config: ConfigSource | None = None
) -> Callable[[Callable[..., T]], Callable[..., Awaitable[Any]]]:
    """Decorate a Starlette or FastAPI endpoint that logs somebody out or changes their password.

    ``user(request)`` says who, before the endpoint runs; None for nobody. The grants are void before the answer goes
    out, also where the endpoint raises. The endpoint takes the request, as its only argument or by its name, and may
    be async or not::

        @revoke_on_logout(lambda request: request.session.get("user_id"))
        async def logout(request): ...
    """

    def decorate(endpoint: Callable[..., T]) -> Callable[..., Awaitable[Any]]:
        @wraps(endpoint)
        async def logging_out(*args: Any, **kwargs: Any) -> Any:
            who = user(_request_in(args, kwargs))
            try:
                return await _call(endpoint, *args, **kwargs)
            finally:
                if who:
                    await revoke(who, config=config)

        return logging_out

    return decorate


async def _call(endpoint: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    if inspect.iscoroutinefunction(endpoint):
        return await endpoint(*args, **kwargs)
    from starlette.concurrency import run_in_threadpool  # noqa: PLC0415 - only needed for an endpoint without a loop

    return await run_in_threadpool(endpoint, *args, **kwargs)


def _request_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    from starlette.requests import Request  # noqa: PLC0415 - only where a Starlette endpoint is called

    for value in (*args, *kwargs.values()):
        if isinstance(value, Request):
            return value
    raise StepUpError("revoke_on_logout: the endpoint takes no request; give it a parameter `request: Request`")
