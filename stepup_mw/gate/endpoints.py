"""The gate's own endpoints under ``challenge.prefix``: which part of the gate answers which path.

GET and HEAD change nothing. What none of the parts knows does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ..messages import Pass, Request, Response
from . import answers, asked, client_script, enroll, holdings, own_passkeys, preflight, security
from .services import Services

Serve = Callable[[Services, Request, tuple[str, ...]], Awaitable[Pass | Response]]
"""Answers a request; the texts are what follows the part's own name in the path."""

PARTS: Mapping[str, Serve] = {
    "challenges": asked.serve,
    "status": preflight.serve,
    "enroll": enroll.serve,
    "grants": holdings.serve,
    "passkeys": own_passkeys.serve,
    "security": security.serve,
    "client.js": client_script.serve,
    "client.d.ts": client_script.serve_types,
}
"""By the first segment below the prefix."""


async def serve(services: Services, request: Request, below: str) -> Pass | Response:
    """Answer a request under the prefix; ``below`` is what follows it, ``/challenges/x/verify`` for example."""
    first, *rest = below.strip("/").split("/")
    part = PARTS.get(first)
    return await part(services, request, tuple(rest)) if part is not None else answers.not_found(services, request)
