"""The single steps from one spelling of a path to another, each as some server, framework or client takes it.

A step gives the texts it leads to, and nothing where it does not apply. How steps combine is for ``paths``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from unicodedata import normalize
from urllib.parse import unquote, urlparse

Step = Callable[[str], Iterable[str]]

_MOST_MOUNTS = 129
_SHORT = 3
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
_SLASHES = re.compile(r"//+")
_PARAMS = re.compile(r";[^/]*")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_HIGH = re.compile("[\x80-\xff]+")
_NOT_A_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def decoded(text: str) -> Iterator[str]:
    """Percent-decoded as UTF-8, and as latin-1 where that is none."""
    if _ESCAPED.search(text):
        once = unquote(text)
        yield once
        if "\ufffd" in once:
            yield unquote(text, encoding="latin-1")


def recoded(text: str) -> Iterator[str]:
    """UTF-8 that was read as latin-1 (as WSGI has it), run by run, and the reverse."""
    yield _HIGH.sub(_as_utf8, text)
    yield _NOT_A_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape").decode("latin-1")


def _as_utf8(match: re.Match[str]) -> str:
    try:
        return match[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return match[0]


def mounted(text: str, whole: str) -> Iterator[str]:
    """Where a path is not below the root path, or ends in a newline (which Starlette's Mount counts twice), a mount
    leaves its child the whole path: below one at "/{tenant}", ``/accounts/transfer%0a`` reaches what
    "/accounts/accounts/transfer" names. Two mounts deep for a short path, one for a longer."""
    places = [place for place in range(1, len(text) - 1) if text[place] == "/"][:_MOST_MOUNTS]
    yield from (text[:place] + whole for place in places)
    if len(places) <= _SHORT:
        yield from (text[:outer] + text[:inner] + whole for outer in places for inner in places)


def below(text: str, root_path: str) -> Iterator[str]:
    """What stands behind the root path: as a prefix of the text (Django), or anywhere in it (Litestar)."""
    for root in (root_path, root_path.rstrip("/")):
        if root in text:
            yield text.split(root, 1)[1]


def _newline(text: str) -> Iterator[str]:
    if text.endswith("\n"):  # `$` in Starlette's expressions lets one through
        yield text[:-1]


def _leading(text: str) -> Iterator[str]:
    if text[:1] != "/":
        yield "/" + text
        yield text[text.find("/") :] if "/" in text else "/"  # werkzeug's DispatcherMiddleware drops what is before
        scheme = _SCHEME.match(text)
        if scheme:
            yield text[scheme.end() :]
        with suppress(ValueError):  # Quart parses it as a URL, which drops tabs, line feeds, a fragment and parameters
            yield urlparse(text).path
    elif text.startswith("//"):
        yield "/" + text.lstrip("/")


def _slashes(text: str) -> Iterator[str]:
    if "//" in text:
        yield _SLASHES.sub("/", text)
    if len(text) > 1 and text.endswith("/"):
        yield text.rstrip("/") or "/"


def _dots(text: str) -> Iterator[str]:
    """Dot segments resolved (RFC 3986 section 5.2.4)."""
    if "/." not in text and not text.startswith("."):
        return
    out: list[str] = []
    parts = text.split("/")
    for part in parts:
        if part == "..":
            del out[max(1, len(out) - 1) :]
        elif part != ".":
            out.append(part)
    if parts[-1] in (".", ".."):
        out.append("")
    yield "/".join(out)


def _marks(text: str) -> Iterator[str]:
    if "\\" in text:
        yield text.replace("\\", "/")
    if ";" in text:
        yield _PARAMS.sub("", text)
    if "\0" in text:
        yield text.partition("\0")[0]


def composed(text: str) -> Iterator[str]:
    """The normal forms NFC and NFKC; NFKC may make slashes, dots and percent signs of full-width ones."""
    if not text.isascii():
        yield normalize("NFC", text)
        yield normalize("NFKC", text)


STEPS: tuple[Step, ...] = (_newline, _leading, _slashes, _dots, _marks, composed)
"""The steps that only shorten a text, or do nothing the second time."""
