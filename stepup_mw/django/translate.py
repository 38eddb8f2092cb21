"""Django's requests and responses to the gate's and back. The path is the one that Django's resolver will read."""

from __future__ import annotations

import io
from collections.abc import Mapping, MutableMapping
from http.cookies import SimpleCookie
from typing import Any, cast

from django.http import HttpResponse  # type: ignore[import-untyped]  # Django ships no types

from ..doors import handed
from ..identity.django import SESSION, USER
from ..messages import Headers, Request, Response
from .bodies import reader_of


def native_of(request: Any) -> MutableMapping[str, Any]:
    """The ASGI scope or the WSGI environ that the request came with."""
    return cast("MutableMapping[str, Any]", request.scope if hasattr(request, "scope") else request.environ)


def place_of(request: Any) -> tuple[str, str, bytes | None]:
    """Path, root path and raw path. Other middlewares may have changed the path: what the resolver reads counts."""
    root_path = str(request.META.get("SCRIPT_NAME") or "")
    native = native_of(request)
    if "type" in native:
        raw_path = native.get("raw_path")
    else:
        target = native.get("RAW_URI") or native.get("REQUEST_URI")
        raw_path = target.partition("?")[0].encode("latin-1", "replace") if isinstance(target, str) and target else None
    return root_path.rstrip("/") + request.path_info, root_path.rstrip("/"), raw_path


def request_of(request: Any, user: Any) -> Request:
    """``user``: the user, or an async callable that gives them."""
    native = native_of(request)
    is_asgi = "type" in native
    path, root_path, raw_path = place_of(request)
    session = getattr(request, "session", None)
    return Request(
        method=request.method or "",
        path=path,
        root_path=root_path,
        raw_path=raw_path,
        query=request.META.get("QUERY_STRING", "").encode("latin-1", "replace"),
        headers=tuple(native["headers"]) if is_asgi else _headers(native),
        peer=((native.get("client") or [None])[0] if is_asgi else native.get("REMOTE_ADDR")) or None,
        scheme=request.scheme or "http",
        door="asgi" if is_asgi else "wsgi",
        native={**native, USER: user, SESSION: session},
        read_body=reader_of(request, wait=not is_asgi),
    )


def _headers(environ: Mapping[str, Any]) -> Headers:
    found: list[tuple[bytes, bytes]] = []
    for key, value in environ.items():
        name = key[5:] if key.startswith("HTTP_") else key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else ""
        if name and isinstance(value, str) and value:
            found.append((name.replace("_", "-").lower().encode("latin-1"), value.encode("latin-1", "replace")))
    return tuple(found)


def in_place_of(request: Any, instead: Request, body: bytes) -> Any:
    """Another request in the place of this one, as Django's own, with what the middlewares before found out: the
    session, the user, whatever they have put there. What Django itself reads from a request it reads anew."""
    kind = type(request)
    native = {name: value for name, value in instead.native.items() if name not in (USER, SESSION)}
    made = kind(native, io.BytesIO(body)) if "type" in native else kind(native)
    for name, value in vars(request).items():
        known = name in _KEPT or not name.startswith("_")
        if known and name not in vars(made) and not hasattr(kind, name):
            setattr(made, name, value)
    if "CSRF_COOKIE" in request.META:
        made.META.setdefault("CSRF_COOKIE", request.META["CSRF_COOKIE"])
    return made


_KEPT = frozenset({"_messages", "_cached_user", "_acached_user"})
"""What Django's own middlewares put under names that begin with an underscore."""


def put_flow(request: Any, token: str | None) -> None:
    """Put what goes to the services behind where Django has read the request's headers from already."""
    handed.put_flow(request.META, token)
    vars(request).pop("headers", None)


def add_headers(answer: Any, headers: Headers) -> None:
    """Headers that go with the view's answer. Cookies go where Django keeps them: several have one name."""
    for name, value in headers:
        text = value.decode("latin-1")
        if name == b"set-cookie":
            answer.cookies.update(SimpleCookie(text))
        else:
            answer[name.decode("latin-1").title()] = text


def response_of(response: Response, method: str) -> Any:
    """The gate's answer as Django's."""
    answer = HttpResponse(b"" if method == "HEAD" else response.body, status=response.status)
    del answer["Content-Type"]
    answer["Content-Length"] = str(len(response.body))
    add_headers(answer, response.headers)
    return answer
