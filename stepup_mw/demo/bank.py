"""The bank's data: people, accounts and transfers in one SQLite file. It knows nothing of step-up.

Amounts are whole cents. Every method opens its own connection, so any thread may call it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
create table if not exists people (user text primary key, name text not null, salt blob not null, hash blob not null);
create table if not exists accounts (id text primary key, user text not null, label text not null,
  iban text not null, cents integer not null, closed integer not null default 0);
create table if not exists entries (id integer primary key, account text not null, day text not null,
  who text not null, note text not null, cents integer not null);
"""
_ACCOUNTS = (
    ("everyday", "Everyday", "LB21 4402 7719 0031", 428_055),
    ("savings", "Savings", "LB21 4402 7719 0048", 1_815_000),
    ("holiday", "Holiday pot", "LB21 4402 7719 0055", 0),
)
_ENTRIES = (
    ("everyday", "2026-11-21", "Northside Market", "Groceries", -6_412),
    ("everyday", "2026-11-20", "Atlas Rail", "Monthly pass", -4_900),
    ("everyday", "2026-11-16", "Marble & Co.", "Salary November", 312_000),
    ("everyday", "2026-11-14", "Cedar Energy", "Heating", -13_850),
    ("savings", "2026-11-01", "Linden Bank", "Interest October", 2_268),
)


class BankError(Exception):
    """What the bank will not do, in words for the person who asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: str
    label: str
    iban: str
    cents: int
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a statement; ``cents`` is negative for money that left."""

    account: str
    day: str
    who: str
    note: str
    cents: int


class Bank:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, user: str, name: str, password: str) -> None:
        """Make the tables, and the person with some accounts and a history, where they are not there yet."""
        with self._connected() as db:
            db.executescript(_SCHEMA)
            if db.execute("select 1 from people where user = ?", (user,)).fetchone():
                return
            salt = os.urandom(16)
            db.execute("insert into people values (?, ?, ?, ?)", (user, name, salt, _hash(password, salt)))
            rows = [(key, user, label, iban, cents) for key, label, iban, cents in _ACCOUNTS]
            db.executemany("insert into accounts (id, user, label, iban, cents) values (?, ?, ?, ?, ?)", rows)
            db.executemany("insert into entries (account, day, who, note, cents) values (?, ?, ?, ?, ?)", _ENTRIES)

    def sign_in(self, user: str, password: str) -> bool:
        with self._connected() as db:
            row = db.execute("select salt, hash from people where user = ?", (user,)).fetchone()
        salt, kept = row or (b"nobody", b"")
        return hmac.compare_digest(_hash(password, salt), kept)

    def name(self, user: str) -> str:
        with self._connected() as db:
            row = db.execute("select name from people where user = ?", (user,)).fetchone()
        return str(row[0]) if row else user

    def accounts(self, user: str) -> list[Account]:
        with self._connected() as db:
            rows = db.execute(
                "select id, label, iban, cents, closed from accounts where user = ? order by rowid", (user,)
            ).fetchall()
        return [
            Account(id=key, label=label, iban=iban, cents=cents, closed=bool(closed))
            for key, label, iban, cents, closed in rows
        ]

    def entries(self, user: str, limit: int = 1000) -> list[Entry]:
        """The newest first."""
        with self._connected() as db:
            rows = db.execute(
                "select account, day, who, note, entries.cents from entries join accounts on accounts.id = account"
                " where user = ? order by day desc, entries.id desc limit ?",
                (user, limit),
            ).fetchall()
        return [
            Entry(account=account, day=day, who=who, note=note, cents=cents) for account, day, who, note, cents in rows
        ]

    def transfer(self, user: str, *, source: str, to: str, cents: int, note: str, day: str) -> int:
        """Take the money from the account and note it; the number of the transfer. BankError if it cannot be."""
        if not to.strip() or len(to) > 64 or len(note) > 120:
            raise BankError("Say who gets the money, in at most 64 characters.")
        if cents <= 0:
            raise BankError("The amount must be more than nothing.")
        with self._connected() as db:
            taken = db.execute(
                "update accounts set cents = cents - ? where id = ? and user = ? and closed = 0 and cents >= ?",
                (cents, source, user, cents),
            )
            if taken.rowcount != 1:
                raise BankError("There is not enough money in that account.")
            made = db.execute(
                "insert into entries (account, day, who, note, cents) values (?, ?, ?, ?, ?)",
                (source, day, to.strip(), note.strip() or "Transfer", -cents),
            )
        return made.lastrowid or 0

    def change_password(self, user: str, password: str) -> None:
        """BankError for a password of fewer than 8 characters."""
        if len(password) < 8:
            raise BankError("The new password needs at least 8 characters.")
        salt = os.urandom(16)
        with self._connected() as db:
            db.execute("update people set salt = ?, hash = ? where user = ?", (salt, _hash(password, salt), user))

    def close_account(self, user: str, account: str) -> None:
        """BankError unless the account is the user's, open and empty."""
        with self._connected() as db:
            done = db.execute(
                "update accounts set closed = 1 where id = ? and user = ? and closed = 0 and cents = 0", (account, user)
            )
        if done.rowcount != 1:
            raise BankError("Only an open account with nothing in it can be closed.")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction."""
        with closing(sqlite3.connect(self._path, timeout=10)) as db, db:
            yield db


def parse_cents(text: str) -> int:
    """``"25"``, ``"25.5"`` or ``"1,234.50"`` to cents. BankError for anything else."""
    whole, _, part = text.strip().replace(",", "").partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) <= 9 and len(part) <= 2):
        raise BankError("Write the amount as 120 or 120.50.")
    if part and not (part.isascii() and part.isdecimal()):
        raise BankError("Write the amount as 120 or 120.50.")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def format_cents(cents: int) -> str:
    """``-6412`` to ``"-64.12"``, with commas between thousands."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=2**14, r=8, p=1)
