"""The site in the plain doors, asked who is who through Django's own session: for the scenes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from django.conf import settings  # type: ignore[import-untyped]  # Django ships no types
from django.core.handlers.asgi import ASGIHandler  # type: ignore[import-untyped]  # as above
from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-untyped]  # as above
from django.test import override_settings  # type: ignore[import-untyped]  # as above

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.enrollment import enroll
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from . import project

COOKIES = "django.contrib.sessions.backends.signed_cookies"
CONFIG = {
    **project.CONFIG,
    "store": {"url": "memory://"},
    "audit": {"path": str(project.FOLDER / "plain" / "stepup.jsonl")},
}
PEER = ("127.0.0.1", 50000)
Ask = Callable[..., Awaitable[Any]]


def bare() -> list[str]:
    return [name for name in settings.MIDDLEWARE if "stepup_mw" not in name]


def _client(kind: str, app: Any) -> Ask:
    if kind == "sync":
        transport = httpx2.WSGITransport(app=app, remote_addr=PEER[0])
        client = httpx2.Client(transport=transport, base_url="http://site")
        return lambda *arguments, **more: asyncio.to_thread(client.request, *arguments, **more)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app, client=PEER), base_url="http://site").request


async def walk(kind: str, code: Callable[[str], str], engine: str | None = None) -> list[Any]:
    """Nobody, signed in, proved; with the session spoilt, with another password and the first one anew, signed in once
    more, signed out: what came of each."""
    changes = {"SESSION_ENGINE": engine} if engine else {}
    with override_settings(MIDDLEWARE=bare(), **changes):
        app = WsgiStepUp(WSGIHandler(), config=CONFIG) if kind == "sync" else (
            AsgiStepUp(ASGIHandler(), config=CONFIG)
        )  # fmt: skip
        secret = (await enroll(app.assembly.gate.services, "alice")).secret
        found = await _scenes(_client(kind, app), lambda: code(secret))
        await app.assembly.aclose()
    return found


async def _scenes(ask: Ask, code: Callable[[], str]) -> list[Any]:
    found = [_kind(await ask("POST", "/open-not", content=b"")), _kind(await ask("POST", "/transfer"))]
    signed_in = await ask("GET", "/sign-in/alice")
    session = re.findall(r"sessionid=([^;]+)", signed_in.headers["set-cookie"])[0]
    asked = await ask("POST", "/transfer")
    proved = await ask("POST", asked.json()["verify_url"], json={"code": code()})
    passed = await ask("POST", "/transfer", content=b"a")
    found += [_kind(asked), proved.status_code, [passed.json()["stepup"], passed.json()["body"]]]
    other = "y" if session[-3] == "x" else "x"
    spoilt = await ask("POST", "/transfer", headers={"Cookie": f"sessionid={session[:-3]}{other}{session[-2:]}"})
    found.append(_kind(spoilt))
    for password in ("another", "open-sesame"):
        await _set_password(password)
        found.append(_kind(await ask("POST", "/transfer")))
        await ask("GET", "/sign-in/alice")
    found.append(_kind(await ask("POST", "/transfer")))
    await ask("GET", "/sign-out")
    return [*found, _kind(await ask("POST", "/transfer"))]


def _kind(answer: Any) -> Any:
    text = answer.headers.get("content-type", "")
    return answer.json()["type"].rpartition(":")[2] if text == "application/problem+json" else answer.status_code


async def _set_password(password: str) -> None:
    from django.contrib.auth import get_user_model  # type: ignore[import-untyped]  # noqa: PLC0415 - a model

    alice = await get_user_model().objects.aget(username="alice")
    alice.set_password(password)
    await alice.asave()
