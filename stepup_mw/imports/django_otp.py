"""Authenticators of django-otp: the table ``otp_totp_totpdevice`` beside the table of users, in SQLite.

Its keys are hex. What it knows of used steps comes along, so that no code is good in both (``last_t``).
"""

from __future__ import annotations

import base64
import sqlite3
from pathlib import Path

from ..totp import DIGITS, PERIOD_S
from . import Flaw, ImportFailed, Reading, Row
from .database import as_text, columns, named, reading

TABLE = "otp_totp_totpdevice"
_NEEDED = {"id", "user_id", "name", "confirmed", "key", "step", "t0", "digits", "last_t"}


def read_django_otp(path: Path, *, user_table: str = "auth_user", user_column: str = "username") -> Reading:
    """Every confirmed TOTP device with its user's name; what is not of 30 seconds and 6 digits is a flaw."""
    with reading(path) as database:
        if missing := _NEEDED - columns(database, TABLE):
            raise ImportFailed(f"{path}: the table {TABLE} is not as django-otp has it: no {min(missing)}")
        if user_column not in columns(database, user_table):
            raise ImportFailed(f"{path}: no table {user_table} with a column {user_column}; name yours by option")
        query = (
            f"SELECT device.*, person.{named(user_column)} AS who FROM {TABLE} AS device "  # noqa: S608 - quoted names
            f"LEFT JOIN {named(user_table)} AS person ON person.id = device.user_id ORDER BY device.id"
        )
        return _sort(database.execute(query).fetchall())


def _sort(devices: list[sqlite3.Row]) -> Reading:
    rows, flaws, waiting = [], [], 0
    for device in devices:
        where = f"device {device['id']}"
        if not device["confirmed"]:
            waiting += 1
        elif (message := _refused(device)) is not None:
            flaws.append(Flaw(where=where, message=message))
        else:
            secret = base64.b32encode(bytes.fromhex(device["key"])).decode("ascii")
            name, last = as_text(device["name"]), int(device["last_t"])
            rows.append(Row(where=where, user=as_text(device["who"]), secret=secret, label=name, last_step=last))
    notes = (f"{waiting} devices were never confirmed and are left out",) if waiting else ()
    return Reading(rows=tuple(rows), flaws=tuple(flaws), notes=notes)


def _refused(device: sqlite3.Row) -> str | None:
    if device["who"] is None:
        return "its user is not there"
    if (device["step"], device["t0"]) != (PERIOD_S, 0):
        return f"steps of {device['step']} s from {device['t0']}; only {PERIOD_S} s from 0 are taken"
    if device["digits"] != DIGITS:
        return f"{device['digits']} digits; only {DIGITS} are taken"
    try:
        bytes.fromhex(as_text(device["key"]))
    except ValueError:
        return "its key is not hex"
    return None
