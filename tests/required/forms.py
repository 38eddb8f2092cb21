"""The same form in every framework: it is read by the framework's own means, and then a proof is asked for.

``Paid`` notes what has reached the step after the demand: method, query, content type and the fields or bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from a2wsgi import WSGIMiddleware
from fastapi import FastAPI, Form
from fastapi import Request as FastRequest
from flask import Flask
from flask import request as flask_request
from litestar import Litestar, post
from litestar import Request as LitestarRequest
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import stepup_mw

Paid = list[dict[str, Any]]
METHODS = ["POST", "PUT", "DELETE"]


def wants(amount: str) -> dict[str, Any]:
    return {"reason": "amount over 10k", "max_age": 60, "action": {"amount": amount}}


def seal(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()


def asgi(paid: Paid) -> Any:
    """Reads one message of the body, asks, and reads the rest."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        first = await receive()
        body, more = first.get("body", b""), first.get("more_body", False)
        await stepup_mw.require(scope, **wants("20000"))
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        kind = dict(scope["headers"]).get(b"content-type", b"").decode()
        paid.append({"method": scope["method"], "query": scope["query_string"].decode(), "kind": kind, "body": body})
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"paid"})

    return app


def wsgi(paid: Paid) -> Any:
    """Reads a line of the body, asks, and reads the rest."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        first = environ["wsgi.input"].readline(min(9, length))
        stepup_mw.require_sync(environ, **wants("20000"))
        body = first + environ["wsgi.input"].read(length - len(first))
        paid.append({"method": environ["REQUEST_METHOD"], "query": environ["QUERY_STRING"],
                     "kind": environ.get("CONTENT_TYPE", ""), "body": body})  # fmt: skip
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [b"paid"]

    return app


async def _starlette(request: Request, paid: Paid) -> Response:
    async with request.form() as form:
        file: Any = form.get("file")
        held = await file.read() if file is not None else b""
        await stepup_mw.require(request, **wants(str(form["amount"])))
        paid.append({"to": form["to"], "amount": form["amount"], "file": seal(held)})
    return PlainTextResponse("paid")


def starlette(paid: Paid) -> Any:
    async def pay(request: Request) -> Response:
        return await _starlette(request, paid)

    routes = [Route(path, pay, methods=METHODS) for path in PATHS]
    return Starlette(routes=[*routes, Mount("/inner", routes=[Route("/pay", pay, methods=METHODS)])])


def fastapi(paid: Paid) -> Any:
    app = FastAPI()

    async def pay(request: FastRequest) -> Response:
        return await _starlette(request, paid)

    for path in PATHS:
        app.post(path)(pay)
    return app


def fastapi_sync(paid: Paid) -> Any:
    """In a thread of FastAPI's, with the form read before by FastAPI."""
    app = FastAPI()

    def pay(request: FastRequest, amount: Annotated[str, Form()], to: Annotated[str, Form()]) -> Response:
        stepup_mw.require_sync(request, **wants(amount))
        paid.append({"to": to, "amount": amount, "file": seal(b"")})
        return PlainTextResponse("paid")

    for path in PATHS:
        app.post(path)(pay)
    return app


def litestar(paid: Paid) -> Any:
    @post(list(PATHS), status_code=200, media_type="text/plain")
    async def pay(request: LitestarRequest[Any, Any, Any]) -> str:
        form = await request.form()
        file = form.get("file")
        held = await file.read() if file is not None else b""
        await stepup_mw.require(request, **wants(form["amount"]))
        paid.append({"to": form["to"], "amount": form["amount"], "file": seal(held)})
        return "paid"

    return Litestar(route_handlers=[pay])


def quart(paid: Paid) -> Any:
    app = Quart("bank")

    async def pay() -> str:
        form, files = await quart_request.form, await quart_request.files
        held = files["file"].read() if "file" in files else b""
        await stepup_mw.require(quart_request, **wants(form["amount"]))
        paid.append({"to": form["to"], "amount": form["amount"], "file": seal(held)})
        return "paid"

    for path in PATHS:
        app.add_url_rule(path, path, pay, methods=METHODS)
    return app


def _flask(view: Any) -> Any:
    app = Flask("bank")
    for path in PATHS:
        app.add_url_rule(path, path, view, methods=METHODS)
    return app


def _fields(paid: Paid) -> str:
    form, files = flask_request.form, flask_request.files
    held = files["file"].read() if "file" in files else b""
    paid.append({"to": form["to"], "amount": form["amount"], "file": seal(held)})
    return "paid"


def flask(paid: Paid) -> Any:
    def pay() -> str:
        stepup_mw.require_sync(flask_request, **wants(flask_request.form["amount"]))
        return _fields(paid)

    return _flask(pay)


def flask_async(paid: Paid) -> Any:
    async def pay() -> str:
        await stepup_mw.require(flask_request, **wants(flask_request.form["amount"]))
        return _fields(paid)

    return _flask(pay)


def flask_in_a2wsgi(paid: Paid) -> Any:
    return WSGIMiddleware(flask(paid))


def flask_mounted(paid: Paid) -> Any:
    """Below an app of Werkzeug's that moves the path from PATH_INFO to SCRIPT_NAME."""
    return DispatcherMiddleware(flask(paid), {"/inner": flask(paid)})


PATHS = ("/pay", "/rename", "/transfer")
APPS: dict[str, tuple[str, Callable[[Paid], Any]]] = {
    "starlette": ("asgi", starlette),
    "fastapi": ("asgi", fastapi),
    "fastapi_sync": ("asgi", fastapi_sync),
    "litestar": ("asgi", litestar),
    "quart": ("asgi", quart),
    "flask_in_a2wsgi": ("asgi", flask_in_a2wsgi),
    "flask": ("wsgi", flask),
    "flask_async": ("wsgi", flask_async),
    "flask_mounted": ("wsgi", flask_mounted),
}
RAW: dict[str, tuple[str, Callable[[Paid], Any]]] = {"asgi": ("asgi", asgi), "wsgi": ("wsgi", wsgi)}
