"""Runs the demo's app on uvicorn, in a thread, so that the terminal keeps the main one and its signals."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, ConfigProblem, MissingExtra, Unsupported

HOST = "127.0.0.1"
USUAL_PORT = 8787
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    url: str
    thread: threading.Thread

    def is_up(self) -> bool:
        return self.thread.is_alive()


def require_server() -> None:
    """MissingExtra if uvicorn is not installed."""
    try:
        import uvicorn  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise MissingExtra("stepup demo", "uvicorn", "demo") from None


@contextmanager
def serving(app: Any, port: int | None) -> Iterator[Running]:
    """The app, listening on this machine only, until the block ends. Without a port, the usual or any free one.

    ConfigError for a port that cannot be had, Unsupported for an app that does not start.
    """
    import uvicorn  # noqa: PLC0415 - an extra

    listener = _listen(port)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, proxy_headers=False, lifespan="on", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="stepup-demo", daemon=True)
    thread.start()
    try:
        until = time.monotonic() + _PATIENCE_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > until:
                raise Unsupported("the demo's server did not start")
            time.sleep(0.01)
        yield Running(url=f"http://{HOST}:{listener.getsockname()[1]}", thread=thread)
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_S)
        listener.close()


def _listen(port: int | None) -> socket.socket:
    if port is not None:
        try:
            return socket.create_server((HOST, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "not a port"
            problem = ConfigProblem(source="--port", key="", message=f"{port} cannot be had: {why}")
            raise ConfigError((problem,)) from None
    try:
        return socket.create_server((HOST, USUAL_PORT))
    except OSError:
        return socket.create_server((HOST, 0))
