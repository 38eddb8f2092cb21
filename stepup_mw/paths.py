"""Every way a router below could read a request target.

Owns the readings and their bounds. There is no one normal form here on purpose: a normal form that hides a handler is
as bad as a spelling that is missed, so each reading is judged for itself, and the policy takes the strictest verdict.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol
from urllib.parse import unquote

from . import spellings
from .errors import AmbiguousRequest
from .spellings import STEPS, Step

MAX_PATH = 8192
"""Characters. A longer path is refused where it concerns a rule."""
MAX_READINGS = 128
"""More readings than this are not judged one by one; a request that could concern a rule is then refused."""
MAX_TEXT = 65_536
"""Characters in all readings together, so that a long path has fewer."""
MAX_KNOWN = 4096
MAX_KNOWN_PATH = 256
"""Paths, and characters of each, that are remembered as concerning no rule: at most about a megabyte a process."""
PERCENT = ord("%")
"""As an int: to look for one byte in bytes by its number takes a tenth of the time."""

_ESCAPED_SLASH = re.compile(r"%(2[fF])")
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_plain(path: str) -> bool:
    """True for a path with one reading: one leading "/", printable ASCII, no "//", "/.", backslash, ";" or "%".

    A trailing slash is plain: every pattern ignores it.
    """
    return (
        path.isascii()
        and path.isprintable()
        and path[:1] == "/"
        and "//" not in path
        and "/." not in path
        and "%" not in path
        and ";" not in path
        and "\\" not in path
    )


class Concerns(Protocol):
    """Whether a request may be the gate's business: a rule (whatever its method) or the prefix, in any reading."""

    def __call__(self, path: str, root_path: str = "", raw_path: bytes | None = None) -> bool: ...


def quick(
    gate: Callable[[str], object],
    slow: Callable[[str, str, bytes | None], bool],
    *,
    longest: int = MAX_KNOWN_PATH,
) -> Concerns:
    """What every request of the app pays. A closure, and ``is_plain`` spelt out: half the time of methods.

    Most requests are for paths that came before; those that concern nothing, are plain and have at most ``longest``
    characters are remembered, up to ``MAX_KNOWN``: one look-up says the same again.
    """
    known: set[str] = set()

    def concerns(path: str, root_path: str = "", raw_path: bytes | None = None) -> bool:
        if root_path or (raw_path is not None and PERCENT in raw_path):
            return slow(path, root_path, raw_path)
        if path in known:
            return False
        if not (
            path.isascii()
            and path.isprintable()
            and "//" not in path
            and "/." not in path
            and "%" not in path
            and ";" not in path
            and "\\" not in path
            and path[:1] == "/"
        ):
            return slow(path, root_path, raw_path)
        if gate(path) is not None:
            return True
        if len(path) <= longest:
            if len(known) >= MAX_KNOWN:
                known.clear()
            known.add(path)
        return False

    return concerns


def route_path(path: str, root_path: str) -> str:
    """The path below the root path, as Starlette's ``get_route_path`` has it (starlette/_utils.py)."""
    if not root_path or not path.startswith(root_path):
        return path
    rest = path[len(root_path) :]
    return rest if rest[:1] in ("", "/") else path


def is_below(path: str, root_path: str) -> bool:
    """A path cleanly below a plain root path: routers agree on where it is cut, whatever they make of the rest."""
    rest = path[len(root_path) :]
    return (
        is_plain(root_path)
        and path.startswith(root_path)
        and (not rest or (rest[0] == "/" and rest[1:2] != "/"))
        and rest[-1:] != "\n"
    )


def keeps_slash(raw_path: bytes | None) -> bool:
    """Whether the undecoded target spells a slash ``%2F``, which a router that matches undecoded keeps apart."""
    return raw_path is not None and b"%" in raw_path and b"%2f" in raw_path.lower()


def is_short_plain(path: str, raw_path: bytes | None) -> bool:
    """A plain path within the limit that is as plain undecoded: one reading, where there is no root path."""
    return len(path) <= MAX_PATH and (raw_path is None or b"%" not in raw_path) and is_plain(path)


def refusal(path: str) -> tuple[str, str] | None:
    """Why a target that concerns a rule is refused outright: a short reason and a sentence; None if it is not."""
    if len(path) > MAX_PATH:
        return "path_too_long", f"the path is longer than {MAX_PATH} characters"
    if "\0" in path:
        return "nul_in_path", "the path has a NUL"
    if not path.isascii() and _SURROGATE.search(path):
        return "path_not_text", "the path is not valid text"
    return None


def readings(path: str, root_path: str = "", raw_path: bytes | None = None) -> tuple[str, ...]:
    """Every reading, the exact route path first, then the whole path, then by the number of steps from there.

    ``path``, ``root_path`` and ``raw_path`` as in ``messages.Request``. AmbiguousRequest with the reason
    ``too_many_readings`` past ``MAX_READINGS``, with ``path_too_long`` where an odd path is over ``MAX_PATH``.
    """
    exact = route_path(path, root_path)
    kept = keeps_slash(raw_path)
    if not kept and not root_path and is_plain(path):
        return (path,)
    if len(path) > MAX_PATH and not is_plain(path):
        raise AmbiguousRequest("path_too_long", f"the path is longer than {MAX_PATH} characters")
    starts = [_State(exact, whole=exact == path), *map(_State, _sent(path, raw_path))]
    if path.endswith("\n") and exact != path:
        starts += map(_State, spellings.mounted(exact, path))
    found = _closure(starts, STEPS, root_path, MAX_TEXT)
    if found is None:
        raise AmbiguousRequest("too_many_readings", f"the path can be read in more than {MAX_READINGS} ways")
    return found


def alphabets(path: str, raw_path: bytes | None = None) -> tuple[str, ...]:
    """The spellings of a path by characters alone (decoding, normal forms), for the conservative test.

    Whatever else a reading does only cuts text out at separators; so each literal text of a rule that matches a
    reading stands in one of these. At most a few dozen, linear in the path. Empty: too many, anything is possible.
    """
    starts = [_State(text, mounts=0) for text in _sent(path, raw_path)]
    return _closure(starts, (spellings.composed,)) or ()


def _sent(path: str, raw_path: bytes | None) -> list[str]:
    """The target as the server decoded it, and as it might have."""
    texts = [path, *_latin(path, raw_path)]
    if raw_path is not None and keeps_slash(raw_path):
        texts.append(_undecoded(raw_path))
    return texts


def _undecoded(raw_path: bytes) -> str:
    """The target with everything decoded but ``%2F``."""
    target = raw_path.partition(b"?")[0].decode("latin-1")
    return unquote(_ESCAPED_SLASH.sub(r"%25\1", target))


def _latin(path: str, raw_path: bytes | None) -> list[str]:
    """The target decoded as latin-1, where decoding it as UTF-8 has lost bytes."""
    if raw_path is None or path.isascii() or ("\ufffd" not in path and not _SURROGATE.search(path)):
        return []
    return [unquote(raw_path.partition(b"?")[0].decode("latin-1"), encoding="latin-1")]


class _State(NamedTuple):
    """A text on the way, and what may still be done to it that would otherwise have no end."""

    text: str
    decodes: int = 2
    recodes: int = 1
    mounts: int = 1
    whole: bool = True
    """Nothing has been taken off for the root path."""


def _closure(
    starts: Iterable[_State], steps: tuple[Step, ...], root_path: str = "", most: float = math.inf
) -> tuple[str, ...] | None:
    """All texts that steps lead to, in the order they are reached; None past ``MAX_READINGS`` or ``most`` characters.

    Decoding twice, changing the character set once and one mount is what a text can go through; every other step only
    shortens it or has no second effect, so there is an end. NFKC may make a text longer, at most 18 times, once.
    """
    todo = list(dict.fromkeys(starts))
    texts = dict.fromkeys(state.text for state in todo)
    most -= sum(map(len, texts))
    if len(texts) > MAX_READINGS or most < 0:
        return None
    seen = set(todo)
    for state in todo:  # grows while it is read
        for following in _next(state, steps, root_path):
            if following.text == state.text or following in seen:
                continue
            seen.add(following)
            todo.append(following)
            if following.text not in texts:
                texts[following.text] = None
                most -= len(following.text)
            if len(texts) > MAX_READINGS or most < 0:
                return None
    return tuple(texts)


def _next(state: _State, steps: tuple[Step, ...], root_path: str) -> Iterator[_State]:
    text = state.text
    for step in steps:
        yield from (state._replace(text=other) for other in step(text))
    if root_path.strip("/"):
        yield from (state._replace(text=other, whole=False) for other in spellings.below(text, root_path))
    if state.decodes and "%" in text:
        yield from (state._replace(text=other, decodes=state.decodes - 1) for other in spellings.decoded(text))
    if state.recodes and not text.isascii():
        yield from (state._replace(text=other, recodes=0) for other in spellings.recoded(text))
    if state.mounts and (text.endswith("\n") or (root_path and state.whole and route_path(text, root_path) == text)):
        yield from (state._replace(text=other, mounts=0) for other in spellings.mounted(text, text))
