"""A single-page app: its script calls the API with fetch, and client.js asks for the code in a dialog."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from stepup_mw.asgi import StepUpMiddleware

FOLDER = Path(__file__).parent
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
PAID: list[dict[str, object]] = []


async def page(_request: Request) -> Response:
    return FileResponse(FOLDER / "static" / "page.html", headers={"Content-Security-Policy": POLICY})


async def sign_in(request: Request) -> Response:
    request.session["user_id"] = request.path_params["name"]  # stands for the login that your app has
    return RedirectResponse("/", 303)


async def payments(_request: Request) -> Response:
    return JSONResponse(PAID)


async def pay(request: Request) -> Response:
    PAID.append(await request.json())
    return JSONResponse(PAID[-1], 201)


app = Starlette(
    routes=[
        Route("/", page),
        Route("/sign-in/{name}", sign_in, methods=["POST"]),
        Route("/payments", payments),
        Route("/payments", pay, methods=["POST"]),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ],
    middleware=[
        Middleware(SessionMiddleware, secret_key=os.environ.get("SESSION_KEY", os.urandom(32).hex())),
        Middleware(StepUpMiddleware, config=FOLDER / "stepup.toml"),
    ],
)
