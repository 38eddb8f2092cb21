"""The atomic steps: one Lua script each, shipped beside this module. Only commands of Redis 6.2."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from pathlib import Path

_FOLDER = Path(__file__).parent / "lua"

_PARTS = {
    "add_factor": ("user",),
    "announce": ("shelf",),
    "challenge": ("owner",),
    "claim": ("head",),
    "consume_step": ("user",),
    "count_attempt": ("owner", "head"),
    "due": ("shelf",),
    "grant": ("owner",),
    "hits": ("window",),
    "latest_challenge": ("head",),
    "mark_logged": ("owner", "head", "shelf"),
    "open_challenge": ("head", "shelf"),
    "put_factor": ("user",),
    "put_recovery": ("user",),
    "remove_factors": ("user",),
    "settle_challenge": ("owner", "head", "shelf"),
    "shelve": ("shelf",),
    "take_address": ("window",),
    "take_attempt": ("window",),
    "use_grant": ("owner",),
}
"""What stands in front of a script; the rest stand alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """``sha``: the name by which a server that has seen ``text`` knows it (EVALSHA)."""

    name: str
    text: str
    sha: str


@cache
def script(name: str) -> Script:
    """A script by its name, with its parts in front."""
    files = [*(_FOLDER / "parts" / f"{part}.lua" for part in _PARTS.get(name, ())), _FOLDER / f"{name}.lua"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return Script(name=name, text=text, sha=sha1(text.encode(), usedforsecurity=False).hexdigest())


def script_names() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.lua")))
