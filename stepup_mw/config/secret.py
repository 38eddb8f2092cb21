"""The secret keys: found in the environment or a key file, and refused where they are weak.

A message here never shows a key, nor any part of one.
"""

from __future__ import annotations

import base64
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..encoding import b64url_encode

VARIABLE = "STEPUP_SECRET_KEY"

DIGEST_PREFIX = "digest:"
"""What the one entry begins with that is no secret key but the key of digests."""

_DIGEST_KEY = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

_MIN_BYTES = 32
_MIN_DISTINCT = 8
_MAX_FILE_BYTES = 64 * 1024
_HOW_TO = "`stepup init` writes a good one, and so does `openssl rand -base64 32`"
_FILLER = r"my|the|a|an|this|is|not|so|very|really|super|top|ultra|please|some|key"
_EXAMPLE = re.compile(
    rf"""
    .*(change|replace)(me|this|it|in|before)          # change-me, CHANGE_THIS, change in production
    | ({_FILLER}|use|put|insert|enter|set)*your       # your-secret-key
    | djangoinsecure | example
    | ({_FILLER}|secret|password|insecure|keyboardcat|qwerty|loremipsum|deadbeef)+\Z
    """,
    re.VERBOSE,
)
"""What a key is matched against from its beginning, in small letters and digits alone."""
_MADE_UP = re.compile(
    r"(dev|development|test|default|django|flask|my|the|a|this|super|is|not|very|really|so|some|top)*"
    r"(secret|password|insecure|keyboardcat|qwerty|0123456789|1234567890|abcdefgh|deadbeef|loremipsum)"
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
    """``keys``: oldest first; ``digest_key``, 32 bytes, stands beside them since the first rotation. ``flaws`` and
    ``cautions`` are messages; ``origin`` is what they are about, an environment variable or the key
    ``secret_key_file``, and ``file`` the file that was read."""

    origin: str
    keys: tuple[bytes, ...] = ()
    digest_key: bytes | None = None
    file: Path | None = None
    flaws: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def read_secrets(
    environ: Mapping[str, str], file: Path | None, *, variable: str = VARIABLE, key: str = "secret_key_file"
) -> Secrets:
    """The environment goes first; the file is read where the variable is unset or empty. ``key``: that names the file
    in the configuration."""
    value = environ.get(variable, "")
    if value.strip():
        found = _judge(variable, [entry.strip() for entry in value.split(",")])
        unused = (f"{key} is not read: {variable} is set, and goes first",) if file else ()
        return replace(found, cautions=(*unused, *found.cautions))
    if file is not None:
        return _read_file(file, key)
    return Secrets(origin=variable, flaws=(f"not set, and there is no {key}; {_HOW_TO}",))


def _read_file(file: Path, origin: str) -> Secrets:
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
    return replace(found, cautions=(*readable, *found.cautions), file=file)


def _judge(origin: str, entries: list[str]) -> Secrets:
    keys = [entry for entry in entries if not entry.startswith(DIGEST_PREFIX)]
    marked = [entry.removeprefix(DIGEST_PREFIX) for entry in entries if entry.startswith(DIGEST_PREFIX)]
    if not _are_whole(marked):
        flaw = f"one entry may begin with {DIGEST_PREFIX!r}, as `stepup keys rotate` wrote it; it was cut or changed"
        return Secrets(origin=origin, flaws=(flaw,))
    if not keys:
        return Secrets(origin=origin, flaws=(f"holds no key; {_HOW_TO}",))
    encoded = tuple(key.encode("utf-8", "surrogateescape") for key in keys)
    digest_key = parse_digest_key(marked[0]) if marked else None
    flaws, cautions = _named(keys, find_weakness), _named(keys, find_doubt)
    return Secrets(origin=origin, keys=encoded, digest_key=digest_key, flaws=flaws, cautions=cautions)


def _named(keys: list[str], judge: Callable[[str], str | None]) -> tuple[str, ...]:
    named = []
    for index, key in enumerate(keys, 1):
        why = judge(key)
        if why:
            which = f"key {index} of {len(keys)} " if len(keys) > 1 else "the key "
            named.append(f"{which}{why}; {_HOW_TO}")
    return tuple(named)


def _are_whole(marked: list[str]) -> bool:
    return len(marked) <= 1 and all(_DIGEST_KEY.fullmatch(text) for text in marked)


def format_digest_key(digest_key: bytes) -> str:
    """The entry beside the secret keys: ``digest:`` and 43 characters of base64url (32 bytes)."""
    return DIGEST_PREFIX + b64url_encode(digest_key)


def parse_digest_key(text: str) -> bytes:
    """The 32 bytes of an entry that ``format_digest_key`` wrote, its prefix taken off."""
    return base64.urlsafe_b64decode(text + "=")


def find_weakness(key: str) -> str | None:
    """Why a key must not be used, or None. The whole of it could be guessed, or is known to all."""
    length = len(key.encode("utf-8", "surrogateescape"))
    if length < _MIN_BYTES:
        return "is empty" if not length else f"has {length} bytes; allowed are {_MIN_BYTES} or more"
    if len(set(key)) == 1:
        return "is one character, repeated"
    if key.lower() in _PUBLISHED or _EXAMPLE.match(_letters(key)):
        return "begins like a published example, which everybody knows"
    return None


def find_doubt(key: str) -> str | None:
    """Why a key that is long enough looks made up, which is said and not refused: somebody's test may run on it."""
    if find_weakness(key) is not None:
        return None
    if key in (key + key)[1:-1]:
        return "is a short text, repeated: fit for tests only"
    if len(set(key)) < _MIN_DISTINCT:
        return f"has only {len(set(key))} different characters: fit for tests only"
    if _MADE_UP.match(_letters(key)):
        return "looks made up, not drawn at random: fit for tests only"
    return None


def _letters(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())
