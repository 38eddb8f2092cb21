"""The secret keys: found in the environment or a key file, and refused where they are weak.

A message here never shows a key, nor any part of one.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "STEPUP_SECRET_KEY"

_MIN_BYTES = 32
_MIN_DISTINCT = 8
_MAX_FILE_BYTES = 64 * 1024
_HOW_TO = "`stepup init` writes a good one, and so does `openssl rand -base64 32`"
_EXAMPLE = re.compile(
    r"(your|my|the|a|this|super|is|not|very|really|so|some|please|dev|development|test|default|top|django|flask)*"
    r"(changeme|changethis|changeit|replaceme|secret|password|insecure|example|development|keyboardcat|qwerty"
    r"|0123456789|1234567890|abcdefgh|deadbeef|loremipsum)"
)
_PUBLISHED = frozenset(
    {
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    }
)
"""Keys that stand in the tutorials of FastAPI and Flask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """``keys``: oldest first. ``flaws`` and ``cautions`` are messages; ``origin`` is what they are about, an
    environment variable or the key ``secret_key_file``."""

    origin: str
    keys: tuple[bytes, ...] = ()
    flaws: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def read_secrets(environ: Mapping[str, str], file: Path | None) -> Secrets:
    """The environment goes first; the file is read where the variable is unset or empty."""
    value = environ.get(VARIABLE, "")
    if value.strip():
        found = _judge(VARIABLE, [key.strip() for key in value.split(",")])
        unused = ("secret_key_file is not read: STEPUP_SECRET_KEY is set, and goes first",) if file else ()
        return Secrets(origin=VARIABLE, keys=found.keys, flaws=found.flaws, cautions=unused)
    if file is not None:
        return _read_file(file)
    return Secrets(origin=VARIABLE, flaws=(f"not set, and there is no secret_key_file; {_HOW_TO}",))


def _read_file(file: Path) -> Secrets:
    origin = "secret_key_file"
    try:
        with file.open("rb") as opened:
            mode = stat.S_IMODE(file.stat().st_mode)
            text = opened.read(_MAX_FILE_BYTES).decode("utf-8")
    except FileNotFoundError:
        return Secrets(origin=origin, flaws=("there is no such file; `stepup init` writes one",))
    except UnicodeDecodeError:
        return Secrets(
            origin=origin, flaws=("the file is not UTF-8 text; write one key a line, in base64 for example",)
        )
    except (OSError, ValueError) as error:
        return Secrets(origin=origin, flaws=(f"the file cannot be read: {getattr(error, 'strerror', 'not a path')}",))
    found = _judge(origin, [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")])
    if mode & 0o002:
        flaws = (*found.flaws, f"anybody can write to the file (mode {mode:04o}); chmod 600")
        return Secrets(origin=origin, flaws=flaws)
    readable = (f"others can read the file (mode {mode:04o}); chmod 600",) if mode & 0o077 else ()
    return Secrets(origin=origin, keys=found.keys, flaws=found.flaws, cautions=readable)


def _judge(origin: str, keys: list[str]) -> Secrets:
    if not keys:
        return Secrets(origin=origin, flaws=(f"holds no key; {_HOW_TO}",))
    weak = []
    for index, key in enumerate(keys, 1):
        why = find_weakness(key)
        if why:
            which = f"key {index} of {len(keys)} " if len(keys) > 1 else "the key "
            weak.append(f"{which}{why}; {_HOW_TO}")
    encoded = tuple(key.encode("utf-8", "surrogateescape") for key in keys)
    return Secrets(origin=origin, keys=encoded, flaws=tuple(weak))


def find_weakness(key: str) -> str | None:
    """Why a key must not be used, or None. The whole of it could be guessed, or is known to all."""
    length = len(key.encode("utf-8", "surrogateescape"))
    if length < _MIN_BYTES:
        return "is empty" if not length else f"has {length} bytes; allowed are {_MIN_BYTES} or more"
    if len(set(key)) == 1:
        return "is one character, repeated"
    if key in (key + key)[1:-1]:
        return "is a short text, repeated"
    if len(set(key)) < _MIN_DISTINCT:
        return f"has only {len(set(key))} different characters; allowed are {_MIN_DISTINCT} or more"
    if key.lower() in _PUBLISHED or _EXAMPLE.match(re.sub(r"[^a-z0-9]", "", key.lower())):
        return "begins like a published example, which everybody knows"
    return None
