"""Real servers around the witness app: uvicorn for ASGI, gunicorn for WSGI, each a process of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pyotp

from stepup_mw.compose import Assembly, assemble
from stepup_mw.enrollment import Enrolled, enroll

SECRET = "correct-horse-battery-staple-0123456789"
CONFIG = Path(__file__).with_name("config.toml")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class Door:
    """One running server and the folder it works in."""

    name: str
    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    assembly: Assembly

    def enroll(self, user: str) -> Enrolled:
        return anyio.run(enroll, self.assembly.gate.services, user)

    def client(self, user: str | None = None, *, session: str = "s1", **headers: str) -> httpx2.Client:
        """A client that keeps cookies and is signed in as ``user``, as a proxy in front would say."""
        signed_in = {"X-Auth-User": user, "X-Auth-Session": session} if user is not None else {}
        return httpx2.Client(base_url=self.url, headers={**signed_in, **headers}, timeout=20)

    def offset(self, seconds: float) -> None:
        """Move the server's clock."""
        (self.folder / "offset").write_text(str(seconds))

    def now(self) -> float:
        try:
            return time.time() + float((self.folder / "offset").read_text())
        except FileNotFoundError:
            return time.time()

    def code(self, enrolled: Enrolled, *, steps: int = 0) -> str:
        """The code of the person's authenticator, ``steps`` time steps from now."""
        return pyotp.TOTP(enrolled.secret).at(self.now() + 30 * steps)

    def wrong(self, enrolled: Enrolled) -> str:
        """A code that is right at no time near now."""
        near = {self.code(enrolled, steps=steps) for steps in range(-25, 26)}
        return next(code for code in ("000000", "111111", "222222") if code not in near)

    def runs(self) -> list[dict[str, Any]]:
        """The runs of the app, in order; those that no rule concerns have None for ``stepup``."""
        path = self.folder / "reached"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def reached(self, user: str | None) -> list[dict[str, Any]]:
        """The guarded runs of the app for a user, in order."""
        return [line for line in self.runs() if line["stepup"] and line["stepup"]["user_id"] == user]

    def raw(self, request: bytes) -> bytes:
        """The answer to the very bytes of a request; the server is expected to close the connection."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as wire:
            wire.sendall(request)
            answer = b""
            while piece := wire.recv(65536):
                answer += piece
        return answer

    def lines(self, user: str | None = None, *, settle: bool = True) -> list[dict[str, Any]]:
        """The audit lines of a user, once every access has its result."""
        deadline = time.monotonic() + 5
        while True:
            found = [line for line in self.trail() if line.get("user_id") == user]
            open_ends = [line for line in found if line["phase"] == "access" and line["status"] == "allowed"]
            ends = [line for line in found if line["phase"] == "result"]
            if not settle or len(open_ends) == len(ends) or time.monotonic() > deadline:
                return found
            time.sleep(0.01)

    def trail(self) -> list[dict[str, Any]]:
        """Every line, those of sealed segments first."""
        audit = self.folder / "audit"
        return [
            line
            for path in (*sorted(audit.glob("segments/*.jsonl")), audit / "stepup.jsonl")
            for line in read_lines(path)
        ]

    def story(self, user: str | None) -> list[str]:
        """A user's step-up lines in short: ``phase/status``, with the reason and basis where there is one."""
        return [told(line) for line in self.lines(user) if line["event_type"] == "step_up"]

    def settled(self, user: str, count: int) -> list[str]:
        """A user's story once it has ``count`` lines or more: what the sweeper or another thread writes comes late."""
        deadline = time.monotonic() + 5
        while len(story := self.story(user)) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        return story


def told(line: Mapping[str, Any]) -> str:
    basis = (line["proof"] or {}).get("basis")
    return " ".join(part for part in (f"{line['phase']}/{line['status']}", line["trigger_reason"], basis) if part)


def is_chain(path: Path) -> bool:
    """Whether each line names the hash of the line before it, and the numbers have no gap: with hashlib alone."""
    before, lines = bytes(32), path.read_bytes().split(b"\n")
    for seq, line in enumerate(lines[:-1]):
        record = json.loads(line)
        if record["seq"] != seq or base64.b64decode(record["prev"]) != before:
            return False
        before = hashlib.sha256(b"\0" + line).digest()
    return lines[-1] == b""


def read_lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def command(name: str, port: int, app: str, workers: int, options: Sequence[str]) -> list[str]:
    if ":" not in app:
        app = f"tests.http.witness:{app}"
    if name == "asgi":
        return [
            sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-proxy-headers",
            "--log-level", "warning", "--no-access-log", *(["--workers", str(workers)] if workers > 1 else []),
            *options,
        ]  # fmt: skip
    return [
        sys.executable, "-m", "gunicorn", app, "--bind", f"127.0.0.1:{port}",
        "--workers", str(workers), "--threads", "8", "--log-level", "error", "--graceful-timeout", "3",
        *options,
    ]  # fmt: skip


@contextmanager
def serving(
    name: str,
    folder: Path,
    config: str,
    *,
    app: str = "",
    workers: int = 1,
    options: Sequence[str] = (),
    secret: str = SECRET,
) -> Iterator[Door]:
    """A server of the witness app, or of another (``module:name``), on a free port; ``name`` is asgi or wsgi,
    ``options`` are the server's own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stepup.toml").write_text(config)
    os.environ["STEPUP_SECRET_KEY"] = secret
    port = free_port()
    environ = {**os.environ, "STEPUP_TEST_FOLDER": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    assembly = assemble(folder / "stepup.toml")
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command(name, port, app or name, workers, options),
            env=environ, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until_up(port, process)
        yield Door(name=name, url=f"http://127.0.0.1:{port}", folder=folder, process=process, assembly=assembly)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        assembly.close()


def wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("the server ended at once; see server.log")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server did not come up")
