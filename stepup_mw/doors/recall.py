"""Which requests a door remembers while the app reads them, in case code of the app asks for a proof in the middle.

Those that the gate could keep, by their headers alone: sent by a browser's page of this origin, of a kind that can be
shown. All others pass untouched, at no cost but the look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..gate.in_place import MARK
from ..gate.kept import SAFE, is_kind

__all__ = ["MARK", "MARK_TEXT", "SAFE", "bytes_of_environ", "bytes_of_headers"]

MARK_TEXT = MARK.decode("ascii")

_NAMES = (b"content-type", b"sec-fetch-site", b"origin", b"content-length")


def bytes_of_headers(headers: Iterable[tuple[bytes, bytes]], cap: int) -> int | None:
    """How many bytes of the body to remember: ``cap``, 0 where it is larger by its own word; None for a request that is
    never kept."""
    found = {name: value.decode("latin-1") for name, value in headers if name in _NAMES}
    kind, site, origin, length = (found.get(name, "") for name in _NAMES)
    return _bytes(kind, site, origin, length, cap)


def bytes_of_environ(environ: Mapping[str, Any], cap: int) -> int | None:
    """As ``bytes_of_headers``, for WSGI."""
    site, origin = environ.get("HTTP_SEC_FETCH_SITE", ""), environ.get("HTTP_ORIGIN", "")
    return _bytes(environ.get("CONTENT_TYPE") or "", site, origin, environ.get("CONTENT_LENGTH") or "", cap)


def _bytes(kind: str, site: str, origin: str, length: str, cap: int) -> int | None:
    own = site == "same-origin" if site else bool(origin)
    if not own or not is_kind(kind):
        return None
    return 0 if length.isascii() and length.isdigit() and int(length) > cap else cap
