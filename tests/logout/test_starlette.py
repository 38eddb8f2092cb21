"""A real Starlette and a real FastAPI app: after the log-out the grant opens nothing, though it is still sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stepup_mw import revoke_on_logout
from stepup_mw.asgi import StepUpMiddleware
from stepup_mw.enrollment import enroll
from stepup_mw.errors import StepUpError
from stepup_mw.totp import format_code, time_step

from .service import revocations, write

SESSION = 'user = "user_id"\n'


def who(request: Request) -> str | None:
    found: str | None = request.session.get("user_id")
    return found


async def login(request: Request) -> Response:
    request.session["user_id"] = request.query_params["user"]
    return PlainTextResponse("in")


@revoke_on_logout(who)
async def logout(request: Request) -> Response:
    request.session.clear()
    return PlainTextResponse("out")


@revoke_on_logout(who)
def change_password(request: Request) -> Response:
    return PlainTextResponse(f"changed for {who(request)}")


@revoke_on_logout(who)
async def broken_logout(request: Request) -> Response:
    request.session.clear()
    raise RuntimeError("the app's own trouble")


async def transfer(_: Request) -> Response:
    return PlainTextResponse("sent")


def starlette_app() -> Any:
    return Starlette(
        routes=[
            Route("/login", login, methods=["POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/password", change_password, methods=["POST"]),
            Route("/broken", broken_logout, methods=["POST"]),
            Route("/transfer", transfer, methods=["POST"]),
        ]
    )


def fastapi_app() -> Any:
    app = FastAPI()
    for path, endpoint in (("/login", login), ("/transfer", transfer)):
        app.add_route(path, endpoint, methods=["POST"])

    @app.post("/logout")
    @revoke_on_logout(who)
    async def fastapi_logout(request: Request, everywhere: bool = False) -> dict[str, bool]:
        request.session.clear()
        return {"everywhere": everywhere}

    @app.post("/password")
    @revoke_on_logout(who)
    def fastapi_password(request: Request) -> dict[str, str | None]:
        return {"user": who(request)}

    @app.post("/broken")
    @revoke_on_logout(who)
    async def fastapi_broken(request: Request) -> None:
        request.session.clear()
        raise RuntimeError("the app's own trouble")

    return app


def scene(
    folder: Path, make: Callable[[], Any], play: Callable[[httpx2.AsyncClient, str], Coroutine[Any, Any, None]]
) -> None:
    """The app behind the gate and a session; ``play`` has a client that holds a grant, and its token."""

    async def whole() -> None:
        gate = StepUpMiddleware(make(), config=write(folder, provider="session", more=SESSION))
        app = SessionMiddleware(gate, secret_key="of the app")
        services = gate.assembly.gate.services
        enrolled = await enroll(services, "alice")
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
            await client.post("/login?user=alice")
            asked = (await client.post("/transfer")).json()
            code = format_code(enrolled.secret, time_step(services.clock()))
            approved = await client.post(asked["verify_url"], json={"code": code})
            assert (await client.post("/transfer")).text == "sent"
            await play(client, approved.json()["grant"])
        await gate.aclose()

    asyncio.run(whole())


async def _is_void(client: httpx2.AsyncClient, token: str) -> None:
    await client.post("/login?user=alice")
    assert client.cookies.get("stepup")
    assert (await client.post("/transfer")).status_code == 401
    assert (await client.post("/transfer", headers={"Step-Up-Grant": token})).status_code == 401


@pytest.mark.parametrize("path", ["/logout", "/password", "/broken"])
@pytest.mark.parametrize("make", [starlette_app, fastapi_app], ids=["starlette", "fastapi"])
def test_the_grant_is_void_after(tmp_path: Path, make: Callable[[], Any], path: str) -> None:
    async def play(client: httpx2.AsyncClient, token: str) -> None:
        answer = await client.post(path)
        assert answer.status_code == (500 if path == "/broken" else 200)
        await _is_void(client, token)

    scene(tmp_path, make, play)
    (line,) = revocations(tmp_path)
    assert (line["user_id"], line["detail"]["by"]) == ("alice", "app")


def test_a_log_out_of_nobody_or_of_somebody_else_voids_nothing(tmp_path: Path) -> None:
    async def play(client: httpx2.AsyncClient, token: str) -> None:
        session = client.cookies["session"]
        client.cookies.delete("session")
        await client.post("/logout")
        await client.post("/login?user=bob")
        await client.post("/logout")
        client.cookies.delete("session")
        cookie = {"Cookie": f"session={session}", "Step-Up-Grant": token}
        assert (await client.post("/transfer", headers=cookie)).text == "sent"

    scene(tmp_path, starlette_app, play)
    assert revocations(tmp_path) == []


def test_an_endpoint_without_a_request_is_told_so() -> None:
    @revoke_on_logout(lambda _: "alice")
    async def endpoint() -> None: ...

    with pytest.raises(StepUpError, match="request: Request"):
        asyncio.run(endpoint())  # type: ignore[arg-type]  # an Awaitable that is a coroutine
