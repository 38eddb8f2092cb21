"""``GET client.js``: the small wrapper of ``fetch`` for pages of the app, and its types. Tells nothing of anybody."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ..messages import Request, Response
from . import answers
from .services import Services

_TYPES = {"js": b"text/javascript; charset=utf-8", "d.ts": b"text/plain; charset=utf-8"}


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """``client.js``: an ES module."""
    return _file(services, request, rest, "js")


async def serve_types(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """``client.d.ts``: what it exports, for TypeScript."""
    return _file(services, request, rest, "d.ts")


def _file(services: Services, request: Request, rest: tuple[str, ...], kind: str) -> Response:
    if rest:
        return answers.not_found(services, request)
    if request.method.upper() not in ("GET", "HEAD"):
        return answers.not_allowed(services, request, ("GET", "HEAD"))
    headers = (
        (b"content-type", _TYPES[kind]),
        answers.NO_STORE,
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
    )
    return Response(status=200, headers=headers, body=_read(kind))


@cache
def _read(kind: str) -> bytes:
    return files("stepup_mw").joinpath("client", f"client.{kind}").read_bytes()
