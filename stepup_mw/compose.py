"""The one wiring place: a configuration becomes a store, a trail, a gate and the housekeeping around them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from .app_secrets import SecretProvider
from .demands import Demand
from .doors.driver import Driver
from .errors import ConfigError, ConfigProblem, StepUpError
from .gate import Gate
from .gate.refreshing import in_force
from .gate.services import Services
from .messages import Lease, Pass, Request, Response
from .parts import make_courier, make_services, make_shipper
from .state import Store
from .stores import open_store
from .stores.witness import distrust
from .stores.workers import refuse_many_workers
from .trail import Trail
from .trail.files import Layout
from .trail.rolled_back import signed_beyond

if TYPE_CHECKING:
    from .config import Config

T = TypeVar("T")

SWEEP_EVERY_S = 1.0
"""How often challenges that nobody came back to are looked for."""

_FIXED = ("service", "store_url", "trail", "notices")
"""Settings that only a restart changes."""

_log = logging.getLogger("stepup_mw")
_assemblies: weakref.WeakSet[Assembly] = weakref.WeakSet()


class Assembly:
    """Everything that runs for one wrapped app in one process. Opens nothing before first use; fork-safe."""

    def __init__(
        self, config: Config, *, clock: Callable[[], float] = time.time, secrets: SecretProvider | None = None
    ) -> None:
        settings = config.settings
        self.config = config
        self._clock = clock
        self._secrets = secrets
        self.trail = Trail(settings.trail, service=settings.service, clock=clock, random=os.urandom)
        witness = Layout(settings.trail.path).witness
        if beyond := signed_beyond(settings.trail, settings.service):
            distrust(witness, beyond)
        self.store: Store = open_store(settings.store_url, witness=witness, clock=clock)
        self._memory = settings.store_url.startswith("memory:")
        if self._memory:
            refuse_many_workers(os.environ, sys.argv)
        self.shipper = make_shipper(settings, self.trail, clock)
        self._window = self.shipper.window.check if self.shipper is not None else None
        self.courier = make_courier(settings, self.trail, clock)
        self.gate = Gate(self._services(config))
        self.concerns = self.gate.services.policy.concerns
        self.driver = Driver()
        self._made_in = os.getpid()
        self._started_in = -1
        self._closed = False
        self.start_lock = threading.Lock()
        _assemblies.add(self)

    def _services(self, config: Config) -> Services:
        notify = self.courier.hand_over if self.courier is not None else None
        parts = (self.store, self.trail, self._clock, self._secrets, self._window, notify)
        try:
            return make_services(config.settings, *parts)
        except ConfigError as error:
            from .config import place_problems  # noqa: PLC0415 - pydantic is loaded only where a file is read

            raise place_problems(config, error) from error

    @property
    def started(self) -> bool:
        """Whether the housekeeping of this process has begun."""
        return self._started_in == os.getpid()

    @property
    def keeps(self) -> int:
        """Bytes of a body, at most, that can be kept for after a code."""
        return self.gate.services.settings.challenge.resume_max_body

    def start(self) -> None:
        """Put the policy in force on record and begin the housekeeping, once a process. Never raises: what cannot
        be written now is refused, request by request, until it can."""
        pid = os.getpid()
        if self._started_in == pid:
            return
        with self.start_lock:
            if self._started_in == pid:
                return
            self._started_in = pid
            self._closed = False
        services = self.gate.services
        self.trail.post([services.journal.notice("config", "loaded", detail=in_force(services))])
        self.driver.portal().start_task_soon(self._keep_house)
        if self.shipper is not None:
            self.shipper.start()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.gate.sweep()
            except StepUpError as error:
                _log.warning("housekeeping put off: %s", error)

    def handle_blocking(self, request: Request) -> Pass | Response:
        """Ask the gate from a thread without a loop."""
        return self._call(self.gate.handle, request)

    def demand_blocking(self, request: Request, demand: Demand, before: Pass) -> Pass | Response:
        """Ask the gate for what code of the app wants, from a thread without a loop."""
        return self._call(self.gate.demand, request, demand, before)

    def left_blocking(self, lease: Lease) -> float:
        """How long an answer may go on, from a thread without a loop."""
        return self.driver.call(lease.left_s)

    def form_token_blocking(self, request: Request, method: str, path: str) -> str:
        """A token for a form of the app's, from a thread without a loop."""
        return self._call(self.gate.form_token, request, method, path)

    def _call(self, call: Callable[..., Awaitable[T]], request: Request, *more: Any) -> T:
        if self._started_in != os.getpid():
            if self._memory:
                many = bool(request.native.get("wsgi.multiprocess"))
                refuse_many_workers(os.environ, sys.argv, multiprocess=many)
            self.start()
        return self.driver.call(call, request, *more)

    def reload(self, config: Config) -> None:
        """Put another policy in force, whole. Raises ConfigError, and keeps the one in force, where the new one
        changes what only a restart can change."""
        old, new = self.config.settings, config.settings
        fixed = [
            name for name in ("service", "store_url", "trail", "notices") if getattr(old, name) != getattr(new, name)
        ]
        if fixed:
            source = str(config.path or "configuration")
            raise ConfigError(
                tuple(
                    ConfigProblem(source=source, key=name, message="changed; that needs a restart, not a reload")
                    for name in fixed
                )
            )
        services = replace(self._services(config), lost=self.gate.services.lost)
        self.config = config
        self.gate.services = services
        self.concerns = services.policy.concerns

    async def reload_from(self, source: Any = None) -> Config:
        """Read the configuration again (from where it came, unless told otherwise) and put it in force. Both ends
        are on record: ``config/reloaded``, or ``config/reload_failed`` with the old policy still in force, and the
        ConfigError raised."""
        from .config import load_config  # noqa: PLC0415 - pydantic is loaded only where a configuration is read

        journal, before = self.gate.services.journal, self.config.settings.policy_version
        try:
            config = load_config(source if source is not None else self.config.path or self.config, os.environ)
            self.reload(config)
        except ConfigError as error:
            detail = {"policy": before, "problems": len(error.problems)}
            await journal.write(journal.notice("config", "reload_failed", detail=detail))
            raise
        detail = {**in_force(self.gate.services), "before": before}
        await journal.write(journal.notice("config", "reloaded", detail=detail))
        return config

    async def aclose(self) -> None:
        """Close what is open. The assembly can be used again: everything opens at first use."""
        await self.store.aclose()
        await asyncio.to_thread(self._close_rest)

    def close(self) -> None:
        """As aclose, from a thread without a loop."""
        if os.getpid() in (self._made_in, self._started_in):  # else its connections are those of another process
            self.driver.call(self.store.aclose)
        self._close_rest()

    def _close_rest(self) -> None:
        self._started_in = -1
        self._closed = True
        self.driver.close()
        if self.courier is not None:
            self.courier.close()
        with self.shipper.ending() if self.shipper is not None else contextlib.nullcontext():
            self.trail.close()


def open_assemblies() -> tuple[Assembly, ...]:
    """Those of this process that are not closed, served yet or not."""
    return tuple(assembly for assembly in list(_assemblies) if not assembly._closed)  # noqa: SLF001 - its own module


def _forked() -> None:
    for assembly in list(_assemblies):
        assembly.start_lock = threading.Lock()  # it may be held by a thread that is not here


os.register_at_fork(after_in_child=_forked)


def assemble(source: Any, *, clock: Callable[[], float] = time.time, secrets: SecretProvider | None = None) -> Assembly:
    """From a path, a mapping or a Config to a running assembly. ConfigError names everything that is wrong."""
    from .config import load_config  # noqa: PLC0415 - pydantic is loaded only where a configuration is read

    config = load_config(source, os.environ)
    for warning in config.warnings:
        _log.warning("%s", warning)
    return Assembly(config, clock=clock, secrets=secrets)
