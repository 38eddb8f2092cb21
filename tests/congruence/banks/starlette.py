"""The bank in Starlette: flat, and below mounts."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.websockets import WebSocket

from . import say


def routes() -> list[Any]:

    def handler(name: str) -> Any:
        async def run(_request: Request) -> PlainTextResponse:
            return PlainTextResponse(say(name))

        return run

    class Admin(HTTPEndpoint):
        async def get(self, _request: Request) -> PlainTextResponse:
            return PlainTextResponse(say("admin"))

        post = get

    async def live(websocket: WebSocket) -> None:
        say("live")
        await websocket.accept()
        await websocket.close()

    return [
        Route("/", handler("home")),
        Route("/public/{x}", handler("public"), methods=["GET", "POST"]),
        Route("/accounts/{account}/transfer", handler("transfer"), methods=["POST"]),
        Route("/admin/transfer", Admin),
        Route("/items/{id:int}/delete", handler("delete"), methods=["POST", "DELETE"]),
        Route("/files/{rest:path}", handler("files")),
        Route("/keys/{key:uuid}", handler("key"), methods=["DELETE"]),
        Route("/kasse/stra\u00dfe", handler("kasse"), methods=["POST"]),
        Mount("/m", routes=[Route("/inner/transfer", handler("mounted"), methods=["POST"])]),
        WebSocketRoute("/live/{room}", live),
        Mount("/{tenant}", routes=[Route("/t/pay", handler("tenant"), methods=["POST"])]),
    ]


def flat() -> Any:

    return Starlette(routes=routes())


def mounted() -> Any:
    """A mount inside a mount, its routes where everyone else has them."""

    return Starlette(routes=[Mount("", app=Router([Mount("", routes=routes())]))])
