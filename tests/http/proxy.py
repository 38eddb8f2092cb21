"""A plain proxy, as anybody writes one: each request goes on to the service behind with the headers it came with. It
knows nothing of step-up; ``asgi`` and ``wsgi`` are it, wrapped."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anyio import to_thread

from .witness import FOLDER, clock

BEHIND = os.environ.get("STEPUP_TEST_BEHIND", "")
OWN = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")


def forward(method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    sent = {name: value for name, value in headers.items() if name not in OWN}
    request = urllib.request.Request(BEHIND + path, method=method, data=b"", headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    status, body = await to_thread.run_sync(forward, scope["method"], scope["path"], headers)
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    status, body = forward(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers)
    start_response(f"{status} As Behind", [("Content-Type", "application/json")])
    return [body]


if BEHIND:
    from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
    from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

    asgi = AsgiStepUp(asgi_app, config=FOLDER / "stepup.toml", clock=clock)
    wsgi = WsgiStepUp(wsgi_app, config=FOLDER / "stepup.toml", clock=clock)
