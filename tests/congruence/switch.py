"""All banks in one server: the header ``X-Bank`` names one, ``X-Side`` says ``bare`` or ``wrapped``.

Outside of what is tested on purpose: no spelling of a target or a method can reach it. Its header ``X-Ran`` names the
handler that ran, whatever was answered. ``X-Side: echo`` answers with what the server handed on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from .banks import BANKS, RAN, RULES, bank

FOLDER = Path(os.environ.get("STEPUP_TEST_FOLDER", "."))


def config(name: str) -> dict[str, Any]:
    return {
        "service": "bank",
        "identity": {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
        "cookie": {"secure": False},
        "routes": RULES,
        "store": {"url": "memory://"},
        "audit": {"path": str(FOLDER / name / "stepup.jsonl"), "durability": "write"},
    }


def build(interface: str) -> dict[tuple[str, str], Any]:
    apps: dict[tuple[str, str], Any] = {}
    for name, (kind, _, _) in BANKS.items():
        if kind == interface:
            apps[name, "bare"] = app = bank(name).app
            wrap: Any = AsgiStepUp if kind == "asgi" else WsgiStepUp
            apps[name, "wrapped"] = wrap(app, config=config(name))
    return apps


class AsgiSwitch:
    def __init__(self) -> None:
        self._apps = build("asgi")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for done in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{done}.complete"})
            return
        chosen = {name: value.decode() for name, value in scope["headers"] if name in (b"x-bank", b"x-side")}
        if chosen[b"x-side"] == "echo":
            await self._echo(scope, send)
        else:
            RAN.clear()  # one request at a time
            await self._apps[chosen[b"x-bank"], chosen[b"x-side"]](scope, receive, _telling(send))

    @staticmethod
    async def _echo(scope: Any, send: Any) -> None:
        shown = [scope.get("method", "GET"), scope["path"], scope["root_path"], scope["raw_path"].decode("latin-1")]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(shown).encode()})


def _telling(send: Any) -> Any:
    async def telling(message: Any) -> None:
        if message["type"] == "http.response.start":
            told = [(b"x-ran", name.encode()) for name in RAN]
            message = {**message, "headers": [*message.get("headers", ()), *told]}
        await send(message)

    return telling


class WsgiSwitch:
    def __init__(self) -> None:
        self._apps = build("wsgi")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["HTTP_X_SIDE"] == "echo":
            shown = [environ[key] for key in ("REQUEST_METHOD", "PATH_INFO", "SCRIPT_NAME")]
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps([*shown, environ.get("RAW_URI") or environ.get("REQUEST_URI")]).encode()]
        RAN.clear()

        def telling(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, [*headers, *(("X-Ran", name) for name in RAN)], *rest)

        found: Iterable[bytes] = self._apps[environ["HTTP_X_BANK"], environ["HTTP_X_SIDE"]](environ, telling)
        return found


if "STEPUP_TEST_FOLDER" in os.environ:
    if os.environ.get("STEPUP_TEST_INTERFACE") == "wsgi":
        wsgi = WsgiSwitch()
    else:
        asgi = AsgiSwitch()
