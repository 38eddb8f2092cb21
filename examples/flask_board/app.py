"""A message board in Flask: posting is free, wiping the board asks for a code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask, redirect, request, session
from werkzeug.wrappers import Response

from stepup_mw.wsgi import StepUpMiddleware

FOLDER = Path(__file__).parent

app = Flask(__name__)
app.secret_key = "an example: use your own"
app.wsgi_app = StepUpMiddleware(app.wsgi_app, config=FOLDER / "stepup.toml")  # type: ignore[method-assign]


def database() -> closing[sqlite3.Connection]:
    db = sqlite3.connect(FOLDER / "board.db", isolation_level=None)
    db.execute("create table if not exists messages (text text)")
    return closing(db)


@app.post("/sign-in/<user>")
def sign_in(user: str) -> Response:
    """Stands for the login that your app has: it puts a user into the session."""
    session["user"] = user
    return redirect("/")


@app.get("/")
def board() -> list[str]:
    with database() as db:
        return [text for (text,) in db.execute("select text from messages")]


@app.post("/")
def post() -> Response:
    with database() as db:
        db.execute("insert into messages values (?)", (request.form["text"],))
    return redirect("/")


@app.post("/wipe")
def wipe() -> Response:
    with database() as db:
        db.execute("delete from messages")
    return redirect("/")
