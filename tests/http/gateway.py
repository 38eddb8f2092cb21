"""A wrapped app that hands each request on to the service behind it: who asks, and what it was told."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anyio import to_thread

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.doors.asgi import Scope, Send
from stepup_mw.doors.asgi_input import Receive
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from .witness import FOLDER, clock

BEHIND = os.environ.get("STEPUP_TEST_BEHIND", "")
ON = ("x-auth-user", "x-auth-session", "traceparent", "step-up-grant", "x-flow")
"""What is handed on; ``X-Flow`` goes on as ``Step-Up-Flow``, for tests that forge one."""


def hand_on(path: str, headers: Mapping[str, str], told: Mapping[str, Any]) -> bytes:
    """The answer of the service behind, with its status."""
    sent = {name: headers[name] for name in ON if name in headers}
    flow = sent.pop("x-flow", told.get("flow_token"))
    request = urllib.request.Request(BEHIND + path, method="POST", data=b"", headers=sent)
    if flow is not None:
        request.add_header("Step-Up-Flow", flow)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, body = error.code, error.read()
    return json.dumps({"told": dict(told), "status": status, "body": json.loads(body)}).encode()


async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    answer = await to_thread.run_sync(hand_on, scope["path"], headers, scope["stepup"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    answer = hand_on(environ["PATH_INFO"], headers, environ["stepup"])
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer]


if BEHIND:
    asgi = AsgiStepUp(asgi_app, config=FOLDER / "stepup.toml", clock=clock)
    wsgi = WsgiStepUp(wsgi_app, config=FOLDER / "stepup.toml", clock=clock)
