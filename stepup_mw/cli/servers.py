"""uvicorn and gunicorn, told to hand on what the socket says: no forwarded address, scheme or path is believed by them.

With several workers each imports the user's app by its name, in a process of its own; the plan goes there in the
environment.
"""

# ruff: noqa: PLC0415 (the servers are extras)

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import logging
import os
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ConfigProblem, MissingExtra
from .failure import CommandError
from .screen import paint, safe, say, show_problem
from .target import Interface, load_app

VARIABLE = "STEPUP_SERVE_PLAN"

_log = logging.getLogger("stepup_mw")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to serve, as a worker process needs it."""

    app: str
    factory: bool
    config: Path
    interface: Interface
    host: str
    port: int

    def dump(self) -> str:
        return json.dumps(dataclasses.asdict(self) | {"config": str(self.config)})

    @classmethod
    def parse(cls, text: str) -> Plan:
        data = json.loads(text)
        return cls(**data | {"config": Path(data["config"])})


def require_server(interface: Interface) -> None:
    """MissingExtra where the server of that interface is not installed."""
    name = "uvicorn" if interface == "asgi" else "gunicorn"
    if importlib.util.find_spec(name) is None:
        raise MissingExtra(f"stepup serve ({interface.upper()})", name, "serve")


def run(plan: Plan, *, workers: int, threads: int) -> None:
    """Serve until a signal ends it. CommandError where the server cannot start."""
    if plan.interface == "asgi":
        _run_uvicorn(plan, workers)
    else:
        _run_gunicorn(plan, workers, threads)


def log_to_stderr(told: Collection[object] = ()) -> None:
    """What the middleware has to say while it serves, but for the warnings that were ``told``: an app that is wrapped
    already has them, too."""
    if not _log.handlers:
        _log.addHandler(Notices(told))
        _log.setLevel(logging.INFO)
        _log.propagate = False


class Notices(logging.Handler):
    """Log records as the command's own messages."""

    def __init__(self, told: Collection[object]) -> None:
        super().__init__()
        self._told = frozenset(map(str, told))

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() in self._told:
            return
        color = "red" if record.levelno >= logging.ERROR else "yellow" if record.levelno >= logging.WARNING else "cyan"
        say(f"{paint(record.levelname.lower() + ':', color, bold=True)} {safe(record.getMessage())}", to_stderr=True)


def _run_uvicorn(plan: Plan, workers: int) -> None:
    import uvicorn

    options: dict[str, Any] = {"host": plan.host, "port": plan.port, "proxy_headers": False, "forwarded_allow_ips": ""}
    try:
        if workers == 1:
            uvicorn.run(make_asgi(plan), workers=1, **options)
        else:
            os.environ[VARIABLE] = plan.dump()
            uvicorn.run(f"{__name__}:make_asgi", factory=True, workers=workers, **options)
    except SystemExit as error:
        if error.code:
            raise CommandError(f"uvicorn could not start on {plan.host}:{plan.port}; it says why above") from None


def make_asgi(plan: Plan | None = None) -> Any:
    """The app behind the middleware. In a worker process of uvicorn, the plan comes from the environment."""
    from ..asgi import StepUpMiddleware
    from ..config import load_config

    if plan is None:
        plan = Plan.parse(os.environ[VARIABLE])
        log_to_stderr(as_an_app_says(load_config(plan.config, os.environ).warnings, plan.config))
    app = load_app(plan.app, factory=plan.factory)
    return Reloading(StepUpMiddleware(app, config=quiet_config(plan.config)), plan.config)


def as_an_app_says(warnings: Sequence[ConfigProblem], path: Path) -> list[ConfigProblem]:
    """The warnings as an app that is wrapped already may have them: it names the same file in its own way."""
    names = {str(path), str(path.resolve()), path.name}
    return [dataclasses.replace(each, source=name) for each in warnings for name in names | {each.source}]


def quiet_config(path: Path) -> Any:
    """The configuration without its warnings: they were shown before anything listened."""
    from ..config import load_config

    return dataclasses.replace(load_config(path, os.environ), warnings=())


class Reloading:
    """Hears SIGHUP in the server's own loop, from start-up on."""

    def __init__(self, app: Any, config: Path) -> None:
        self._app = app
        self._config = config
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin)
        await self._app(scope, receive, send)

    def _begin(self) -> None:
        self._task = asyncio.ensure_future(self._reload())

    async def _reload(self) -> None:
        try:
            await self._app.reload(self._config)
        except ConfigError as error:
            _log.error("the configuration was not reloaded, the old one stays in force")
            for problem in error.problems:
                say(show_problem(problem), to_stderr=True)
        else:
            _log.info("the configuration was read again and is in force")


def _run_gunicorn(plan: Plan, workers: int, threads: int) -> None:
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # it has no types

    class Server(BaseApplication):  # type: ignore[misc]  # its base is untyped
        """gunicorn without its own command line and files."""

        def load_config(self) -> None:
            for name, value in gunicorn_settings(plan, workers, threads).items():
                if name in self.cfg.settings:  # some are younger than the oldest gunicorn that will do
                    self.cfg.set(name, value)

        def load(self) -> Any:
            from ..wsgi import StepUpMiddleware

            app = load_app(plan.app, factory=plan.factory)
            return StepUpMiddleware(app, config=quiet_config(plan.config))

    master = os.getpid()
    try:
        Server().run()
    except SystemExit as error:
        if error.code and os.getpid() == master:
            raise CommandError(f"gunicorn could not start on {plan.host}:{plan.port}; it says why above") from None
        raise  # a worker's code tells the master why it ended


def gunicorn_settings(plan: Plan, workers: int, threads: int) -> dict[str, Any]:
    """gunicorn's settings by name. Nobody's forwarded headers are believed."""
    host = f"[{plan.host}]" if ":" in plan.host else plan.host
    return {
        "bind": f"{host}:{plan.port}",
        "workers": workers,
        "worker_class": "gthread",
        "threads": threads,
        "forwarded_allow_ips": "",
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        "preload_app": False,
        "control_socket_disable": True,
        "worker_exit": close_worker,
    }


def close_worker(_server: Any, worker: Any) -> None:
    """gunicorn's hook: a worker that ends writes what it still has to write."""
    close = getattr(worker.wsgi, "close", None)
    if close is not None:
        close()
