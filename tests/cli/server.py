"""``stepup serve`` as a process of its own, with a user's app beside the configuration."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STARLETTE = """\
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def show(request: Request) -> JSONResponse:
    user = (request.scope.get("stepup") or {}).get("user_id")
    seen = [request.client.host, request.url.scheme, request.scope["root_path"]]
    return JSONResponse({"user": user, "seen": seen})


app = Starlette(routes=[Route("/", show), Route("/accounts/{account}/transfer", show, methods=["POST"])])


def create() -> Starlette:
    return app


number = 7
"""

FLASK = """\
from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def home():
    return {"user": None, "seen": [request.remote_addr, request.scheme, request.script_root]}


@app.post("/accounts/<account>/transfer")
def transfer(account):
    return {"user": request.environ["stepup"]["user_id"]}
"""

Answer = tuple[int, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        finally:
            connection.close()

    def await_port(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            assert self.process.poll() is None, self.said()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(self.said())

    def lines(self) -> list[dict[str, Any]]:
        text = (self.folder / "audit/stepup.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """The exit code and what was said on stderr."""
        self.process.send_signal(how)
        return self.process.wait(timeout=20), self.said()

    def said(self) -> str:
        return (self.folder / "stderr.txt").read_text()


@contextmanager
def serving(folder: Path, *words: str) -> Iterator[Served]:
    """The server once it answers; killed at the end, its workers too."""
    port = free_port()
    command = [sys.executable, "-m", "stepup_mw", "serve", *words, "--port", str(port)]
    with (folder / "stderr.txt").open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=folder, env=clean_environ(), stdout=stderr, stderr=stderr, start_new_session=True
        )
    server = Served(port, process, folder)
    try:
        server.await_port()
        yield server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session: the server and its workers, nobody else
        process.wait()


def clean_environ() -> dict[str, str]:
    """This environment without what would steer the command."""
    return {name: value for name, value in os.environ.items() if not re.match("STEPUP_|NO_COLOR|.*COLOR|COLUMNS", name)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
