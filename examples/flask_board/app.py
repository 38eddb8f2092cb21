"""A message board in Flask, with a page for people: posting is free, wiping the board asks for a code, and so do the
export and taking many messages away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from flask import Flask, redirect, render_template, request, session
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


def messages() -> list[str]:
    with database() as db:
        return [text for (text,) in db.execute("select text from messages")]


@app.get("/")
def board() -> str:
    """Where a proof is fresh, the form that wipes carries a token, and may be filled in slowly."""
    token = stepup_mw.form_token_sync(request, "/wipe")
    return render_template("board.html", messages=messages(), stepup_token=token)


@app.post("/")
def post() -> Response:
    with database() as db:
        db.execute("insert into messages values (?)", (request.form["text"],))
    return redirect("/")


@app.post("/wipe")  # a rule in stepup.toml names it: the form is kept, shown, and sent after the code
def wipe() -> Response:
    why, file = request.form.get("why"), request.files.get("minutes")
    with database() as db:
        db.execute("delete from messages")
        if why:
            minutes = f", see {file.filename}, {len(file.read())} bytes" if file and file.filename else ""
            db.execute("insert into messages values (?)", (f"Wiped: {why}{minutes}",))
    return redirect("/")


@app.route("/export", methods=["GET", "POST"])  # no rule names it; the decorator asks
@stepup_required(reason="all messages, to take with you", max_age="1m")
def export() -> list[str]:
    return messages()


@app.post("/take-away")  # only the view knows whether it matters
def take_away() -> Response:
    count = int(request.form["count"])
    if count > 2:
        stepup_mw.require_sync(request, reason="many messages at once", action={"count": count})
    with database() as db:
        db.execute("delete from messages where rowid in (select rowid from messages limit ?)", (count,))
    return redirect("/")
