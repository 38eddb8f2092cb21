"""Datasette (https://datasette.io) as it comes, wrapped: reading is open, each write asks for a code.

The notes can be read at /notes/notes and added to at /notes/add_note, by whoever has signed in as root.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from datasette.app import Datasette

from stepup_mw.asgi import StepUpMiddleware

FOLDER = Path(__file__).parent
NOTES = FOLDER / "notes.db"
ADD = {"sql": "insert into notes (text) values (:text)", "write": True, "allow": {"id": "root"}}

with closing(sqlite3.connect(NOTES)) as db:
    db.execute("create table if not exists notes (id integer primary key, text text)")

datasette = Datasette([str(NOTES)], metadata={"databases": {"notes": {"queries": {"add_note": ADD}}}})
app = StepUpMiddleware(datasette.app(), config=FOLDER / "stepup.toml")

print(f"Sign in as root: /-/auth-token?token={datasette._root_token}", flush=True)  # noqa: SLF001 - as `datasette --root`
