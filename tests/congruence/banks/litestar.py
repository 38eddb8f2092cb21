"""The bank in Litestar."""

import uuid
from pathlib import Path
from typing import Any

from litestar import Litestar, Router, delete, get, post, route, websocket
from litestar.connection import WebSocket
from litestar.params import FromPath

from . import say


def bank() -> Any:  # noqa: C901 - one small function after the other

    @get("/", media_type="text/plain")
    async def home() -> str:
        return say("home")

    @route("/public/{x:str}", http_method=["GET", "POST"], media_type="text/plain", status_code=200)
    async def public(x: FromPath[str]) -> str:
        return say("public")

    @post("/accounts/{account:str}/transfer", media_type="text/plain")
    async def transfer(account: FromPath[str]) -> str:
        return say("transfer")

    @route("/admin/transfer", http_method=["GET", "POST"], media_type="text/plain", status_code=200)
    async def admin() -> str:
        return say("admin")

    @route("/items/{id:int}/delete", http_method=["POST", "DELETE"], media_type="text/plain", status_code=200)
    async def remove(id: FromPath[int]) -> str:  # noqa: A002 - the name in the path
        return say("delete")

    @get("/files/{rest:path}", media_type="text/plain")
    async def files(rest: FromPath[Path]) -> str:
        return say("files")

    @delete("/keys/{key:uuid}", media_type="text/plain", status_code=200)
    async def key(key: FromPath[uuid.UUID]) -> str:
        return say("key")

    @post("/kasse/stra\u00dfe", media_type="text/plain")
    async def kasse() -> str:
        return say("kasse")

    @post("/transfer", media_type="text/plain")
    async def mounted() -> str:
        return say("mounted")

    @post("/{tenant:str}/t/pay", media_type="text/plain")
    async def pay(tenant: FromPath[str]) -> str:
        return say("tenant")

    @websocket("/live/{room:str}")
    async def live(socket: WebSocket[Any, Any, Any], room: FromPath[str]) -> None:
        say("live")
        await socket.accept()
        await socket.close()

    within = Router("/m/inner", route_handlers=[mounted])
    handlers: list[Any] = [home, public, transfer, admin, remove, files, key, kasse, within, pay, live]
    return Litestar(handlers, openapi_config=None, logging_config=None)
