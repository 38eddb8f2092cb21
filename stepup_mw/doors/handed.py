"""The header ``Step-Up-Flow`` of a request as the app gets it: what this service says of the flow, or nothing.

What came in was judged by the gate, and goes no further: an app that hands its headers on hands on nobody's claim.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from ..demands import FLOW_HEADER

_NAME = FLOW_HEADER.lower().encode("ascii")
_ENVIRON = "HTTP_" + FLOW_HEADER.upper().replace("-", "_")


def put_flow(native: MutableMapping[str, Any], token: str | None) -> None:
    """Into the ASGI scope or the WSGI environ; None for none."""
    if "headers" in native and "type" in native:
        _put_into_scope(native, token)
    elif token is not None:
        native[_ENVIRON] = token
    else:
        native.pop(_ENVIRON, None)


def _put_into_scope(scope: MutableMapping[str, Any], token: str | None) -> None:
    sent = scope["headers"]
    if token is None and len(_NAME) not in map(len, dict(sent)):  # no header has a name of that length
        return
    kept = [header for header in sent if len(header[0]) != len(_NAME) or not _is_flow(header[0])]
    if token is not None:
        kept.append((_NAME, token.encode("ascii")))
    if len(kept) != len(sent) or token is not None:
        scope["headers"] = kept


def _is_flow(name: bytes) -> bool:
    """In every spelling that a bridge or a server behind would take for it."""
    return name.lower().replace(b"_", b"-") == _NAME
