"""The same small app in every framework: a payment asks for a proof where it is over 10,000.

``runs`` notes each step that was reached: nothing that comes after the demand may run before the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from a2wsgi import WSGIMiddleware
from fastapi import FastAPI
from fastapi import Request as FastRequest
from flask import Flask
from flask import request as flask_request
from litestar import Litestar, post
from litestar import Request as LitestarRequest
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import stepup_mw

Runs = list[str]
LIMIT = 10_000


def wants(amount: int) -> dict[str, Any]:
    return {"reason": "amount over 10k", "max_age": 60, "action": {"amount": amount}}


def bare_asgi(runs: Runs) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        runs.append("began")
        amount = int(scope["query_string"].partition(b"=")[2] or 0)
        if amount > LIMIT:
            await stepup_mw.require(scope, **wants(amount))
        runs.append("paid")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"paid"})

    return app


async def _whatever(request: Request, error: Exception) -> Response:
    return PlainTextResponse("the app's own page for errors", 500)


async def _around(request: Request, call_next: Any) -> Any:
    """A middleware of the task group kind, with a broad except of its own."""
    try:
        return await call_next(request)
    except Exception:  # noqa: BLE001 - what is tried
        return PlainTextResponse("swallowed", 200)


def starlette(runs: Runs) -> Any:
    async def pay(request: Request) -> Response:
        runs.append("began")
        amount = int(request.query_params.get("amount", 0))
        try:
            if amount > LIMIT:
                await stepup_mw.require(request, **wants(amount))
        except Exception:  # noqa: BLE001 - what is tried
            return PlainTextResponse("swallowed", 200)
        runs.append("paid")
        return PlainTextResponse("paid")

    return Starlette(
        debug=True,
        routes=[Route(path, pay, methods=["POST"]) for path in PATHS],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_around)],
        exception_handlers={Exception: _whatever, 500: _whatever},
    )


def fastapi(runs: Runs) -> Any:
    app = FastAPI(exception_handlers={Exception: _whatever})

    async def pay(request: FastRequest, amount: int = 0) -> Response:
        runs.append("began")
        if amount > LIMIT:
            await stepup_mw.require(request, **wants(amount))
        runs.append("paid")
        return PlainTextResponse("paid")

    for path in PATHS:
        app.post(path)(pay)
    return app


def fastapi_sync(runs: Runs) -> Any:
    app = FastAPI()

    def pay(request: FastRequest, amount: int = 0) -> Response:
        runs.append("began")
        if amount > LIMIT:
            stepup_mw.require_sync(request, **wants(amount))
        runs.append("paid")
        return PlainTextResponse("paid")

    for path in PATHS:
        app.post(path)(pay)
    return app


def litestar(runs: Runs) -> Any:
    def whatever(request: Any, error: Exception) -> Any:
        raise AssertionError("a demand is no error of the app's") from error

    @post(list(PATHS), status_code=200, media_type="text/plain")
    async def pay(request: LitestarRequest[Any, Any, Any]) -> str:
        runs.append("began")
        amount = int(request.query_params.get("amount", 0))
        if amount > LIMIT:
            await stepup_mw.require(request, **wants(amount))
        runs.append("paid")
        return "paid"

    return Litestar(route_handlers=[pay], exception_handlers={Exception: whatever})


def bare_wsgi(runs: Runs) -> Any:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        runs.append("began")
        amount = int(environ["QUERY_STRING"].partition("=")[2] or 0)
        if amount > LIMIT:
            stepup_mw.require_sync(environ, **wants(amount))
        runs.append("paid")
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [b"paid"]

    return app


def lazy_wsgi(runs: Runs) -> Any:
    """A generator: it runs when the server reads the body, and has said its headers before it asks."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        runs.append("began")
        amount = int(environ["QUERY_STRING"].partition("=")[2] or 0)
        if amount > LIMIT:
            stepup_mw.require_sync(environ, **wants(amount))
        runs.append("paid")
        yield b"paid"

    return app


def flask(runs: Runs) -> Any:
    app = Flask("bank")
    app.register_error_handler(Exception, lambda _error: ("the app's own page for errors", 500))
    app.register_error_handler(500, lambda _error: ("the app's own page for errors", 500))

    def pay() -> str:
        runs.append("began")
        amount = int(flask_request.args.get("amount", 0))
        if amount > LIMIT:
            stepup_mw.require_sync(flask_request, **wants(amount))
        runs.append("paid")
        return "paid"

    for path in PATHS:
        app.add_url_rule(path, path, pay, methods=["POST"])
    return app


def flask_async(runs: Runs) -> Any:
    app = Flask("bank")

    async def pay() -> str:
        runs.append("began")
        amount = int(flask_request.args.get("amount", 0))
        if amount > LIMIT:
            await stepup_mw.require(flask_request, **wants(amount))
        runs.append("paid")
        return "paid"

    for path in PATHS:
        app.add_url_rule(path, path, pay, methods=["POST"])
    return app


def flask_in_a2wsgi(runs: Runs) -> Any:
    return WSGIMiddleware(flask(runs))


def quart(runs: Runs) -> Any:
    app = Quart("bank")
    app.register_error_handler(Exception, lambda _error: ("the app's own page for errors", 500))

    async def pay() -> str:
        runs.append("began")
        amount = int(quart_request.args.get("amount", 0))
        if amount > LIMIT:
            await stepup_mw.require(quart_request, **wants(amount))
        runs.append("paid")
        return "paid"

    for path in PATHS:
        app.add_url_rule(path, path, pay, methods=["POST"])
    return app


PATHS = ("/pay", "/transfer", "/rename", "/wire", "/watch", "/payroll")
APPS: dict[str, tuple[str, Callable[[Runs], Any]]] = {
    "asgi": ("asgi", bare_asgi),
    "starlette": ("asgi", starlette),
    "fastapi": ("asgi", fastapi),
    "fastapi_sync": ("asgi", fastapi_sync),
    "litestar": ("asgi", litestar),
    "quart": ("asgi", quart),
    "flask_in_a2wsgi": ("asgi", flask_in_a2wsgi),
    "wsgi": ("wsgi", bare_wsgi),
    "wsgi_generator": ("wsgi", lazy_wsgi),
    "flask": ("wsgi", flask),
    "flask_async": ("wsgi", flask_async),
}
