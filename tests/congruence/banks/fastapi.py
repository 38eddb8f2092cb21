"""The bank in FastAPI."""

from __future__ import annotations

import uuid
from typing import Any

from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.responses import PlainTextResponse

from . import say


def bank() -> Any:  # noqa: C901 - one small function after the other
    """Path operations, and a router included twice over."""

    app = FastAPI(openapi_url=None, default_response_class=PlainTextResponse)

    @app.get("/")
    async def home() -> str:
        return say("home")

    @app.api_route("/public/{x}", methods=["GET", "POST"])
    async def public(x: str) -> str:
        return say("public")

    @app.post("/accounts/{account}/transfer")
    def transfer(account: str) -> str:
        return say("transfer")

    @app.api_route("/admin/transfer", methods=["GET", "POST"])
    async def admin() -> str:
        return say("admin")

    @app.api_route("/items/{id}/delete", methods=["POST", "DELETE"])
    async def delete(id: int) -> str:  # noqa: A002 - the name in the path
        return say("delete")

    @app.get("/files/{rest:path}")
    async def files(rest: str) -> str:
        return say("files")

    @app.delete("/keys/{key}")
    async def key(key: uuid.UUID) -> str:
        return say("key")

    @app.post("/kasse/stra\u00dfe")
    async def kasse() -> str:
        return say("kasse")

    @app.websocket("/live/{room}")
    async def live(websocket: WebSocket, room: str) -> None:
        say("live")
        await websocket.accept()
        await websocket.close()

    inner, outer, tenants = APIRouter(prefix="/inner"), APIRouter(prefix="/m"), APIRouter(prefix="/{tenant}")

    @inner.post("/transfer")
    async def mounted() -> str:
        return say("mounted")

    @tenants.post("/t/pay")
    async def tenant(tenant: str) -> str:
        return say("tenant")

    outer.include_router(inner)
    app.include_router(outer)
    app.include_router(tenants)
    return app
