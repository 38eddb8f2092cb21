"""Authenticators of Flask-Security: ``tf_totp_secret`` in its table of users, in SQLite.

The secret is passlib's JSON, encrypted under SECURITY_TOTP_SECRETS: AES-256-CTR with key and nonce by
PBKDF2-HMAC-SHA256 (passlib.totp.AppWallet, version 1). CTR has no seal of its own: a wrong application secret shows
in the length of the result alone, so each secret is to be tried with a code before people rely on it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from ..totp import DIGITS, PERIOD_S
from . import Flaw, ImportFailed, Reading, Row
from .database import as_text, columns, named, reading

_METHODS = ("authenticator", "google_authenticator")
_TAKEN = {"type": "totp", "period": PERIOD_S, "digits": DIGITS, "alg": "sha1"}
_MAX_COST = 20
"""At most 2**20 rounds: passlib's default is 2**14, and a row must not keep the import busy for hours."""


def read_flask_security(
    path: Path, secrets: Mapping[str, str], *, user_table: str = "user", user_column: str = "email"
) -> Reading:
    """Every user whose second factor is an authenticator. ``secrets`` is SECURITY_TOTP_SECRETS, by tag."""
    with reading(path) as database:
        needed = {user_column, "tf_totp_secret", "tf_primary_method"}
        if missing := needed - columns(database, user_table):
            raise ImportFailed(f"{path}: no table {user_table} with a column {min(missing)}; name yours by option")
        query = (
            f"SELECT id, {named(user_column)} AS who, tf_primary_method AS method, tf_totp_secret AS secret "  # noqa: S608 - quoted names
            f"FROM {named(user_table)} WHERE tf_totp_secret IS NOT NULL ORDER BY id"
        )
        return _sort(database.execute(query).fetchall(), secrets)


def read_secrets(path: Path) -> dict[str, str]:
    """SECURITY_TOTP_SECRETS from a file: a JSON object of tags and secrets. ImportFailed."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ImportFailed(f'{path}: allowed is a JSON object such as {{"1": "the application secret"}}')
    return found


def _sort(people: list[sqlite3.Row], secrets: Mapping[str, str]) -> Reading:
    rows, flaws, others = [], [], 0
    for person in people:
        where = f"user {person['id']}"
        if person["method"] not in _METHODS:
            others += 1
            continue
        try:
            key = _open(as_text(person["secret"]), secrets)
        except ImportFailed as error:
            flaws.append(Flaw(where=where, message=str(error)))
            continue
        rows.append(Row(where=where, user=as_text(person["who"]), secret=base64.b32encode(key).decode("ascii")))
    notes = (f"{others} users have no authenticator but mail or SMS, and are left out",) if others else ()
    return Reading(rows=tuple(rows), flaws=tuple(flaws), notes=notes)


def _open(text: str, secrets: Mapping[str, str]) -> bytes:
    """The key inside passlib's JSON. ImportFailed says why there is none; never with a part of it."""
    try:
        source: Any = json.loads(text)
        kind = {"type": None, "period": PERIOD_S, "digits": DIGITS, "alg": "sha1", **source}
        if any(kind[name] != wanted for name, wanted in _TAKEN.items()):
            raise ImportFailed(f"only {DIGITS} digits, {PERIOD_S} s and SHA-1 are taken")
        if "key" in source:
            return _b32(source["key"])
        return _decrypt(source["enckey"], secrets)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ImportFailed("its secret is not passlib's JSON") from None


def _decrypt(sealed: Mapping[str, Any], secrets: Mapping[str, str]) -> bytes:
    secret = secrets.get(str(sealed["t"]))
    if secret is None:
        tag = str(sealed["t"])[:32]
        raise ImportFailed(f"it is encrypted under the application secret of tag {tag!r}; give it by --totp-secrets")
    if sealed["v"] != 1 or not 0 <= sealed["c"] <= _MAX_COST:
        raise ImportFailed("its secret is encrypted in an unknown way")
    derived = hashlib.pbkdf2_hmac("sha256", secret.encode("utf-8"), _b32(sealed["s"]), 1 << sealed["c"], 48)
    decryptor = Cipher(AES(derived[:32]), CTR(derived[32:])).decryptor()
    return decryptor.update(_b32(sealed["k"])) + decryptor.finalize()


def _b32(text: str) -> bytes:
    """As passlib writes base32: no padding."""
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise ValueError from error
