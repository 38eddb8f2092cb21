"""One service in this process around an app that asks for proofs: clients, people, the trail."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pyotp
from starlette.testclient import TestClient

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.enrollment import enroll
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

SECRET = "correct-horse-battery-staple-0123456789"
CONFIG = """
service = "bank"

[identity]
provider = "header"
user = "X-Auth-User"
session = "X-Auth-Session"
trusted_proxies = ["127.0.0.1"]
login_url = "/login"

[cookie]
secure = false

[[routes]]
name = "transfer"
path = "/transfer"
methods = ["POST"]
risk = 60

[[routes]]
name = "rename"
path = "/rename"
methods = ["POST"]
risk = 10

[[routes]]
name = "wire"
path = "/wire"
methods = ["POST"]
risk = 60
grant = "request"

[[routes]]
name = "watch"
path = "/watch"
methods = ["POST"]
risk = 60
mode = "report"

[[routes]]
name = "payroll"
path = "/payroll"
methods = ["POST"]
risk = 60
grant = "service"

[store]
url = "memory://"

[audit]
path = "audit/stepup.jsonl"
"""

Client = TestClient | httpx2.Client


class Site:
    """An app and the middleware around it; its clock can be moved. ``lenient``: the client takes an answer that is
    given after the app has raised, as servers do."""

    def __init__(self, folder: Path, app: Any, door: str, *, config: str = CONFIG, lenient: bool = False) -> None:
        self.lenient = lenient
        self.folder = folder
        self.skew = 0.0
        settings = tomllib.loads(config)
        if settings["store"]["url"] != "memory://":
            settings["store"]["url"] = f"sqlite:///{folder / 'stepup.db'}"
        settings["audit"]["path"] = str(folder / "audit" / "stepup.jsonl")
        self.door = door
        self.around: Callable[[Any], Any] = lambda whole: whole
        """What a client finds in the place of the wrapped app."""
        self.app: Any
        if door == "asgi":
            self.app = AsgiStepUp(app, config=settings, clock=self.clock)
        else:
            self.app = WsgiStepUp(app, config=settings, clock=self.clock)

    def clock(self) -> float:
        return time.time() + self.skew

    def client(self, user: str | None = "alice", **headers: str) -> Client:
        who = {"X-Auth-User": user, "X-Auth-Session": "s1"} if user else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.door == "asgi":
            return TestClient(
                self.around(self.app), client=("127.0.0.1", 50000), headers={**who, **named}, follow_redirects=False
            )
        transport = httpx2.WSGITransport(app=self.app, raise_app_exceptions=not self.lenient)
        return httpx2.Client(transport=transport, base_url="http://testserver", headers={**who, **named})

    def enroll(self, user: str = "alice") -> pyotp.TOTP:
        if self.door == "asgi":
            return pyotp.TOTP(anyio.run(enroll, self.app.assembly.gate.services, user).secret)
        return pyotp.TOTP(self.app.assembly.driver.call(enroll, self.app.assembly.gate.services, user).secret)

    def code(self, authenticator: pyotp.TOTP, *, steps: int = 0) -> str:
        return authenticator.at(self.clock() + 30 * steps)

    def lines(self) -> list[dict[str, Any]]:
        """The step-up and grant lines, once every access has its result."""
        deadline = time.monotonic() + 5
        while True:
            path = self.folder / "audit" / "stepup.jsonl"
            whole = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []
            found = [line for line in whole if line["event_type"] in ("step_up", "grant")]
            begun = sum((line["phase"], line.get("status")) == ("access", "allowed") for line in found)
            ended = sum(line["phase"] == "result" for line in found)
            if begun == ended or time.monotonic() > deadline:
                return found
            time.sleep(0.01)

    def story(self) -> list[str]:
        return [told(line) for line in self.lines()]

    def close(self) -> None:
        if self.door == "asgi":
            anyio.run(self.app.aclose)
        else:
            self.app.close()


def told(line: dict[str, Any]) -> str:
    """``access/allowed app_required grant``, ``grant/accepted inline``."""
    if line["event_type"] == "grant":
        return f"grant/{line['phase']} {line['detail'].get('basis', '')}".strip()
    basis = (line["proof"] or {}).get("basis")
    return " ".join(part for part in (f"{line['phase']}/{line['status']}", line["trigger_reason"], basis) if part)


def verify(client: Client, asked: Any, code: str) -> Any:
    return client.post(asked.json()["verify_url"], json={"code": code})


Make = Callable[[Path], Site]
