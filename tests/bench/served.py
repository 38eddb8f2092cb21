"""End to end: uvicorn and gunicorn over loopback, loaded by wrk in short turns (Debian package ``wrk``)."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from .rounds import table

PUBLIC, SENSITIVE = "/api/v1/items/42", "/api/v1/area7/t1/users/2/delete"
IN_FLIGHT = 32

PASSING = {
    "bare": "bare Starlette",
    "bare_again": "bare again (A/A noise)",
    "noop": "no-op middleware",
    "stepup": "stepup_mw, 1,000 rules, a public route",
    "basehttp": "BaseHTTPMiddleware no-op",
    "slowapi": "slowapi (memory)",
    "casbin": "casbin, 10 rules",
}
DURABLE = {
    "bare": "bare Starlette",
    "granted": "stepup_mw, a grant and a durable line each",
    "written": 'the same, durability = "write" (no sync)',
    "inline": "one line and one fdatasync a request, inline",
}
FLASK = {
    "flask_bare": "bare Flask",
    "flask_stepup": "stepup_mw, 1,000 rules, a public route",
    "flask_login": "Flask-Login login_required",
    "flask_security": "Flask-Security auth_required (token)",
}


def measure(rounds: int, seconds: int = 2) -> str:
    """Requests a second as a ratio to the bare app of the same turn: median and spread."""
    return "\n\n".join(
        [
            "### End to end",
            _group("uvicorn, 32 in flight, public route", PASSING, PUBLIC, rounds, seconds),
            _group("uvicorn, 32 in flight, sensitive route", DURABLE, SENSITIVE, rounds, seconds),
            _group("gunicorn gthread, 32 in flight, public route", FLASK, PUBLIC, rounds, seconds),
        ]
    )


def _group(title: str, kinds: Mapping[str, str], path: str, rounds: int, seconds: int) -> str:
    names = list(kinds)
    taken: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(_serving(name)) for name in names}
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                taken[name].append(_load(ports[name], path, seconds))
    base = taken[names[0]]
    rows = []
    for name in names:
        ratios = sorted(mine / theirs for mine, theirs in zip(taken[name], base, strict=True))
        median = statistics.median(ratios)
        rows.append([kinds[name], f"{median:.2f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}"])
    return table(f"{title} | requests a second : bare | spread", rows)


def _load(port: tuple[int, str], path: str, seconds: int) -> float:
    number, token = port
    headers = ["-H", "X-Auth-User: alice", "-H", "X-Auth-Session: s-81f2", "-H", f"Step-Up-Grant: {token}"]
    headers += ["-H", f"Authentication-Token: {token}"]
    command = ["wrk", "-t1", f"-c{IN_FLIGHT}", f"-d{seconds}s", *headers, f"http://127.0.0.1:{number}{path}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(f"the app refused the load: {out}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if found is None:
        raise RuntimeError(f"wrk said nothing of requests a second: {out}")
    return float(found[1])


@contextmanager
def _serving(kind: str) -> Iterator[tuple[int, str]]:
    with socket.socket() as probe, tempfile.TemporaryDirectory(prefix="stepup-bench-") as folder:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        environ = {**os.environ, "STEPUP_BENCH_KIND": kind, "STEPUP_BENCH_FOLDER": folder}
        process = subprocess.Popen(_command(kind, port), env=environ, stderr=subprocess.DEVNULL)
        try:
            _wait(port)
            token = Path(folder) / "token"
            yield port, token.read_text() if token.exists() else "none"
        finally:
            process.terminate()
            process.wait(20)


def _command(kind: str, port: int) -> list[str]:
    if kind.startswith("flask"):
        return [
            sys.executable, "-m", "gunicorn", "-w", "1", "--threads", "4", "-b", f"127.0.0.1:{port}",
            "--log-level", "error", "--graceful-timeout", "2", "tests.bench.served:app",
        ]  # fmt: skip
    return [
        sys.executable, "-m", "uvicorn", "tests.bench.served:app", "--port", str(port), "--loop", "uvloop",
        "--http", "httptools", "--no-access-log", "--log-level", "error", "--no-proxy-headers",
    ]  # fmt: skip


def _wait(port: int) -> None:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server did not start")


def _app(kind: str, folder: Path) -> Any:
    from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp  # noqa: PLC0415 - each server loads only its own

    from . import peers  # noqa: PLC0415
    from .apps import Noop, wrapped  # noqa: PLC0415
    from .sensitive import granted  # noqa: PLC0415

    if kind.startswith("flask"):
        app = peers.flask_app(kind.removeprefix("flask_"))
        if kind == "flask_security":
            (folder / "token").write_text(app.config["BENCH_TOKEN"])
        if kind == "flask_stepup":
            config = wrapped(1_000, folder=folder).assembly.config
            app.wsgi_app = WsgiStepUp(app.wsgi_app, config=config)  # type: ignore[method-assign]
        return app
    inner = peers.starlette_app()
    simple: dict[str, Callable[[], Any]] = {
        "noop": lambda: Noop(inner),
        "basehttp": lambda: peers.base_http(inner),
        "slowapi": peers.slowapi_limit,
        "casbin": lambda: peers.casbin_rules(inner, 10),
        "inline": lambda: _Inline(inner, folder),
    }
    if kind in simple:
        return simple[kind]()
    if kind in ("stepup", "granted", "written"):
        middleware = wrapped(1_000, folder=folder, app=inner, durability="write" if kind == "written" else "commit")
        loop = asyncio.new_event_loop()
        (folder / "token").write_text(granted(middleware, loop))
        loop.close()
        return middleware
    return inner


class _Inline:
    """The simplest durable log: a line and a sync for each request, on the event loop."""

    def __init__(self, app: Any, folder: Path) -> None:
        self.app = app
        self._fd = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            os.write(self._fd, b"x" * 1100 + b"\n")
            os.fdatasync(self._fd)
        await self.app(scope, receive, send)


if "STEPUP_BENCH_KIND" in os.environ:
    app = _app(os.environ["STEPUP_BENCH_KIND"], Path(os.environ["STEPUP_BENCH_FOLDER"]))
