"""The life of a database file, held against what stands beside it and where the audit trail is (see ``stores.lives``).

``<file>-life`` moves with the file: a copy from before lags behind it, and a copy from elsewhere has none. Both are
a loss. The one beside the trail also knows a file that is new where there was one before.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..lives import LAST_GUESS, STRIPES, Found, Life, Note, begin, begin_anew, judge, no_code_before
from ..removals import Removals, mark_of
from ..witness import Witness, format_note

TABLE = """CREATE TABLE life (
    spent INTEGER NOT NULL, name TEXT NOT NULL DEFAULT '', before TEXT NOT NULL DEFAULT '',
    lost_at REAL NOT NULL DEFAULT 0, found TEXT NOT NULL DEFAULT '')"""
BEGIN = "INSERT INTO life (spent) VALUES (0)"
FROM_3 = (
    "ALTER TABLE life ADD COLUMN name TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE life ADD COLUMN before TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE life ADD COLUMN lost_at REAL NOT NULL DEFAULT 0",
    "ALTER TABLE life ADD COLUMN found TEXT NOT NULL DEFAULT ''",
)
LIFE = "SELECT spent, name, before, lost_at, found FROM life"
_NOTE_OF_3 = re.compile(rb"[0-9]{1,20}\n", re.ASCII)


def spend(db: sqlite3.Connection) -> None:
    """Something is used up: what stands outside is brought up as soon as the step is committed."""
    db.execute("UPDATE life SET spent = spent + 1")


def to_life(row: tuple[Any, ...]) -> Life:
    spent, name, before, lost_at, found = row
    return Life(name=name, spent=(spent,) * STRIPES, before=tuple(before.split()), lost_at=lost_at, found=found or None)


def accept(db: sqlite3.Connection) -> bool:
    return db.execute("UPDATE life SET lost_at = 0, found = '' WHERE found <> ''").rowcount > 0


class Lives:
    """Of one file, for one process. ``clock``: Unix seconds."""

    def __init__(self, path: str, witness: Path | None, clock: Callable[[], float]) -> None:
        self._beside = Witness(Path(f"{path}-life"))
        self._further = Witness(witness) if witness else None
        self.removals = Removals(witness)
        self._clock = clock
        self._noted: tuple[str, int] = ("", -1)

    def begin(self, db: sqlite3.Connection, version: int) -> None:
        """In the transaction that makes the tables of a new file (version 0), or brings older ones up."""
        life = to_life(db.execute(LIFE).fetchone())
        found = self._since_3(life) if version in {2, 3} else None
        if version == 0 and "empty" in (judge(self._beside.read(), None), self._judge_further(None)):
            found = "empty"
        if found is None:
            self._put(db, Life(name=begin().name, spent=life.spent))
        else:
            self.end(db, found)

    def _since_3(self, life: Life) -> Found | None:
        """By the note of versions 2 and 3: one number, of a life without a name."""
        with suppress(FileNotFoundError):
            text = self._beside.path.read_bytes()
            return "older" if not _NOTE_OF_3.fullmatch(text) or int(text) > life.spent[0] else None
        return "other" if any(life.spent) else None

    def look(self, db: sqlite3.Connection) -> Found | None:
        """What this file is, in the place of the one that is remembered. Inside a transaction the answer is final."""
        return self.look_at(to_life(db.execute(LIFE).fetchone()))

    def look_at(self, life: Life) -> Found | None:
        beside = self._beside.read()
        if beside is None and any(life.spent):
            return "other"
        return judge(beside, life) or self._judge_further(life)

    def _judge_further(self, life: Life | None) -> Found | None:
        return judge(self._further.read(), life) if self._further else None

    def end(self, db: sqlite3.Connection, found: Found) -> None:
        """End the life that is found: nothing in it is good once more."""
        now, life = self._clock(), to_life(db.execute(LIFE).fetchone())
        known = [note for witness in self._all() if (note := witness.read()) is not None and note.name]
        for note in known:
            life = begin_anew(note, life, found, now=now)
        _void(db, no_code_before(now))
        marks = self.removals.read()
        for user, factor_id in db.execute("SELECT user, factor_id FROM factor").fetchall() if marks else ():
            if mark_of(user, factor_id) in marks:
                db.execute("DELETE FROM factor WHERE user = ? AND factor_id = ?", (user, factor_id))
        self._put(db, life if known else begin_anew(None, life, found, now=now))

    def note(self, row: tuple[Any, ...]) -> None:
        """After a commit: what stands outside comes as far as the file has, by its row of LIFE. Not before it, for a
        process that is killed in between would make a sound file look like an older copy. OSError: the caller is
        refused, though the step was taken."""
        spent, name = row[:2]
        if (name, spent) != self._noted:
            self._reach(Note(name=name, spent=(spent,) * STRIPES))

    def _put(self, db: sqlite3.Connection, life: Life) -> None:
        db.execute(
            "UPDATE life SET spent = ?, name = ?, before = ?, lost_at = ?, found = ?",
            (max(life.spent), life.name, " ".join(life.before), life.lost_at, life.found or ""),
        )
        self._reach(to_life(db.execute(LIFE).fetchone()))

    def _reach(self, life: Life | Note) -> None:
        note = format_note(life)
        for witness in self._all():
            witness.reach(note)
        self._noted = (life.name, life.spent[0])

    def _all(self) -> list[Witness]:
        return [self._beside] if self._further is None else [self._beside, self._further]


def _void(db: sqlite3.Connection, step: int) -> None:
    for table in ("granted", "epoch", "recovery", "kept", "challenge"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    db.execute("UPDATE factor SET last_step = max(last_step, ?)", (step,))
    db.execute("UPDATE account SET failures = max(failures, ?)", (LAST_GUESS,))
    db.execute(
        """INSERT OR IGNORE INTO account (user, failures, locked_until)
        SELECT DISTINCT user, ?, 0.0 FROM factor""",
        (LAST_GUESS,),
    )
