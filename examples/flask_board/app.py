"""A message board in Flask: posting is free, wiping the board asks for a code, and so does taking many away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask, redirect, request, session
from werkzeug.wrappers import Response

import stepup_mw
from stepup_mw.flask import StepUp, stepup_required

FOLDER = Path(__file__).parent

app = Flask(__name__)
app.secret_key = "an example: use your own"
StepUp(app, config=FOLDER / "stepup.toml")  # the app's own session says who asks


def database() -> closing[sqlite3.Connection]:
    db = sqlite3.connect(FOLDER / "board.db", isolation_level=None)
    db.execute("create table if not exists messages (text text)")
    return closing(db)


@app.post("/sign-in/<user>")
def sign_in(user: str) -> Response:
    """Stands for the login that your app has: it puts a user into the session."""
    session["user_id"] = user
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


@app.post("/wipe")  # a rule in stepup.toml names it
def wipe() -> Response:
    with database() as db:
        db.execute("delete from messages")
    return redirect("/")


@app.post("/export")  # no rule names it; the decorator asks
@stepup_required(reason="all messages, to take with you", max_age="1m")
def export() -> list[str]:
    return board()


@app.post("/take-away")  # only the view knows whether it matters
def take_away() -> Response:
    count = int(request.form["count"])
    if count > 2:
        stepup_mw.require_sync(request, reason="many messages at once", action={"count": count})
    with database() as db:
        db.execute("delete from messages where rowid in (select rowid from messages limit ?)", (count,))
    return redirect("/")
