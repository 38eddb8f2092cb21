"""A request under WSGI, as the gate sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..messages import ReadBody, Request
from .inside import Native


def target_of(environ: Native) -> tuple[str, str, bytes | None]:
    """The root path, the whole path and the raw path."""
    root_path = _text(environ.get("SCRIPT_NAME", ""))
    return root_path, root_path + _text(environ.get("PATH_INFO", "")), _raw_path(environ)


def request_of(environ: Native, read_body: ReadBody, app: Any) -> Request:
    root_path, path, raw_path = target_of(environ)
    return Request(
        method=environ.get("REQUEST_METHOD", ""),
        path=path,
        root_path=root_path,
        raw_path=raw_path,
        query=environ.get("QUERY_STRING", "").encode("latin-1"),
        headers=tuple(_headers(environ)),
        peer=environ.get("REMOTE_ADDR") or None,
        scheme=environ.get("wsgi.url_scheme", "http"),
        door="wsgi",
        native=environ,
        app=app,
        read_body=read_body,
    )


def _headers(environ: Native) -> Iterator[tuple[bytes, bytes]]:
    for key, value in environ.items():
        if key.startswith("HTTP_") and isinstance(value, str):
            yield key[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1", "replace")
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            yield key.replace("_", "-").lower().encode("latin-1"), value.encode("latin-1", "replace")


def _text(native: str) -> str:
    """A WSGI native string (bytes as latin-1, PEP 3333) as the text its UTF-8 bytes spell."""
    if native.isascii():
        return native
    return native.encode("latin-1", "replace").decode("utf-8", "replace")


def _raw_path(environ: Native) -> bytes | None:
    """The target before decoding, without its query, where the server tells (gunicorn, uWSGI, waitress)."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return target.partition("?")[0].encode("latin-1", "replace") if isinstance(target, str) and target else None
