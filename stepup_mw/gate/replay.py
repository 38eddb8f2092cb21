"""A request put in the place of another: what was kept, in the surroundings of today. Decides nothing.

The app gets the method, target and body that were kept, byte for byte, with the headers that speak of them; whose
session it is, from where and by which cookies is today's. Both forms of ``native`` are made here, so that no door has
to know how.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ..messages import Headers, Request

KEPT_HEADERS = frozenset(
    {b"accept", b"content-type", b"content-encoding", b"content-language", b"idempotency-key", b"if-match",
     b"if-unmodified-since", b"origin", b"prefer", b"referer", b"x-csrf-token", b"x-csrftoken", b"x-xsrf-token",
     b"x-requested-with", b"x-http-method-override", b"x-http-method", b"x-method-override", b"hx-request",
     b"hx-current-url", b"hx-target", b"hx-trigger"}
)  # fmt: skip
"""Headers that belong to what is sent. Cookies, tokens, identities and addresses never do."""

_OF_THE_BODY = frozenset({b"content-length", b"transfer-encoding", b"expect", b"te", b"trailer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is kept of a request. ``inside``: the path as ``native`` has it, of which ``path`` is the gate's reading."""

    method: str
    path: str
    root_path: str
    raw_path: bytes | None
    inside: str
    query: bytes
    headers: Headers
    body: bytes


def message_of(request: Request, body: bytes) -> Message:
    """The part of a request that is kept."""
    return Message(
        method=request.method,
        path=request.path,
        root_path=request.root_path,
        raw_path=request.raw_path,
        inside=request.native.get("PATH_INFO" if request.door == "wsgi" else "path", ""),
        query=request.query,
        headers=tuple((name, value) for name, value in request.headers if name in KEPT_HEADERS),
        body=body,
    )


def pack_message(message: Message) -> bytes:
    """One line of JSON, then the body."""
    head = {
        "method": _text(message.method.encode("utf-8", "surrogatepass")),
        "path": _text(message.path.encode("utf-8", "surrogatepass")),
        "root_path": _text(message.root_path.encode("utf-8", "surrogatepass")),
        "raw_path": _text(message.raw_path) if message.raw_path is not None else None,
        "inside": _text(message.inside.encode("utf-8", "surrogatepass")),
        "query": _text(message.query),
        "headers": [[_text(name), _text(value)] for name, value in message.headers],
    }
    return orjson.dumps(head) + b"\n" + message.body


def open_message(packed: bytes) -> Message:
    """The message inside; for bytes that ``pack_message`` made."""
    head, _, body = packed.partition(b"\n")
    found: dict[str, Any] = orjson.loads(head)
    return Message(
        method=_spelt(found["method"]),
        path=_spelt(found["path"]),
        root_path=_spelt(found["root_path"]),
        raw_path=found["raw_path"].encode("latin-1") if found["raw_path"] is not None else None,
        inside=_spelt(found["inside"]),
        query=found["query"].encode("latin-1"),
        headers=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in found["headers"]),
        body=body,
    )


def in_place_of(request: Request, message: Message) -> Request:
    """The kept message as a request of today's, with a ``native`` of its own."""
    kept = (*message.headers, (b"content-length", str(len(message.body)).encode("ascii")))
    headers = (*((name, value) for name, value in request.headers if not _is_replaced(name)), *kept)
    native = _scope(request, message, headers) if request.door == "asgi" else _environ(request, message)

    async def read_body(limit: int) -> bytes:  # noqa: ARG001 - it was within the cap when it was kept
        return message.body

    return request.altered(
        method=message.method,
        path=message.path,
        raw_path=message.raw_path,
        query=message.query,
        headers=headers,
        native=native,
        read_body=read_body,
    )


def _is_replaced(name: bytes) -> bool:
    return name in KEPT_HEADERS or name in _OF_THE_BODY or name.startswith(b"step-up-")


def _scope(request: Request, message: Message, headers: Headers) -> Mapping[str, Any]:
    changed: dict[str, Any] = {
        "method": message.method,
        "path": message.inside,
        "query_string": message.query,
        "headers": [*headers],
    }
    if "raw_path" in request.native:
        changed["raw_path"] = message.raw_path
    return {**request.native, **changed}


def _environ(request: Request, message: Message) -> Mapping[str, Any]:
    """The environ of today without what ``message`` replaces."""
    environ = {name: value for name, value in request.native.items() if not _is_replaced(_header_of(name))}
    target = (
        (message.raw_path or b"").decode("latin-1") + ("?" if message.query else "") + message.query.decode("latin-1")
    )
    for name in ("RAW_URI", "REQUEST_URI"):
        if name in environ:
            environ[name] = target
    environ |= {
        "REQUEST_METHOD": message.method,
        "PATH_INFO": message.inside,
        "QUERY_STRING": message.query.decode("latin-1"),
        "CONTENT_LENGTH": str(len(message.body)),
        "wsgi.input": io.BytesIO(message.body),
        "stepup.body": message.body,
    }
    for header, value in message.headers:
        key = header.decode("latin-1").upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.decode("latin-1")
    return environ


def _header_of(key: str) -> bytes:
    """The header's name behind a key of an environ, b"" for none."""
    name = key[5:] if key.startswith("HTTP_") else key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else ""
    return name.replace("_", "-").lower().encode("latin-1", "replace")


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _spelt(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "surrogatepass")
