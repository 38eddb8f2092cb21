"""Notes kept by a Starlette app: reading is for everybody, emptying the notebook asks for a code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from stepup_mw.asgi import StepUpMiddleware

FOLDER = Path(__file__).parent


def database() -> closing[sqlite3.Connection]:
    db = sqlite3.connect(FOLDER / "notes.db", isolation_level=None)
    db.execute("create table if not exists notes (text text)")
    return closing(db)


def sign_in(request: Request) -> JSONResponse:
    """Stands for the login that your app has: it puts a user into the session."""
    request.session["user"] = request.path_params["user"]
    return JSONResponse({"user": request.session["user"]})


def notes(request: Request) -> JSONResponse:
    with database() as db:
        if request.method == "POST":
            db.execute("insert into notes values (?)", (request.query_params["text"],))
        if request.method == "DELETE":
            db.execute("delete from notes")
        return JSONResponse([text for (text,) in db.execute("select text from notes")])


app = Starlette(
    routes=[
        Route("/sign-in/{user}", sign_in, methods=["POST"]),
        Route("/notes", notes, methods=["GET", "POST", "DELETE"]),
    ],
    middleware=[
        Middleware(SessionMiddleware, secret_key="an example: use your own"),
        Middleware(StepUpMiddleware, config=FOLDER / "stepup.toml"),  # inside the session, whose user it asks
    ],
)
