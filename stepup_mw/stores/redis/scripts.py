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
    "due": ("shelf",),
    "epoch": ("epoch",),
    "forgive": ("pardon",),
    "grant": ("owner",),
    "hits": ("window",),
    "latest_challenge": ("head",),
    "mark_logged": ("owner", "head", "shelf", "ends"),
    "open_challenge": ("user", "head", "shelf"),
    "put_factor": ("user",),
    "put_recovery": ("user",),
    "raise_epoch": ("epoch",),
    "remember": ("seen",),
    "remove_factors": ("user",),
    "reward": ("keep_grant", "seen", "pardon", "head", "shelf", "ends", "waiting"),
    "settle_challenge": ("owner", "head", "shelf", "ends"),
    "shelve": ("shelf",),
    "shown": ("carried",),
    "sighting": ("seen",),
    "take_address": ("window",),
    "take_attempt": ("window", "guess"),
    "take_code": ("user", "window", "head", "shelf", "ends"),
    "take_request": ("waiting",),
    "try_challenge": ("window", "guess", "head", "ends", "epoch"),
    "use_grant": ("carried",),
    "void_user": ("user",),
}
"""What stands in front of a script; the rest stand alone."""

OFTEN = frozenset({"consume_step", "swap_run", "take_attempt", "take_code", "try_challenge", "use_grant"})
SELDOM = frozenset(
    {"add_factor", "consume_recovery", "put_factor", "put_recovery", "raise_epoch", "remove_factor", "remove_factors"}
    | {"revoke_grants", "reward", "take_request"}
)
"""The steps that use something up, or take it away: they are counted (see ``stores.lives``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """``sha``: the name by which a server that has seen ``text`` knows it (EVALSHA)."""

    name: str
    text: str
    sha: str


@cache
def script(name: str, *, counted: bool = False) -> Script:
    """A script by its name, with its parts in front. ``counted``: within the step that raises the count of the life,
    one step of both; not for a Cluster, where the two lie apart."""
    parts = [_read(f"parts/{part}") for part in _PARTS.get(name, ())]
    body = _read(name)
    if counted:
        parts.insert(0, _read("parts/spend"))
        body = f"return spend(function()\n{body}end)\n"
    text = "\n".join([*parts, body])
    return Script(name=name, text=text, sha=sha1(text.encode(), usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


def script_names() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.lua")))
