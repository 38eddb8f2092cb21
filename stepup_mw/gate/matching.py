"""Which rule a request meets, or which of the gate's own pages: all that is decided before anything is looked up.

The live gate asks here, and so does the tool that holds the policy against an app's router.
"""

from __future__ import annotations

from ..messages import Request
from ..paths import route_path
from ..policy import Match, Policy

_OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")
"""Headers by which some frameworks let a client name another method."""


def own_place(request: Request, prefix: str) -> str | None:
    """What follows the prefix, where the gate itself answers; None for every other path."""
    path = route_path(request.path, request.root_path)
    if not path.startswith(prefix) or request.kind != "http":
        return None
    rest = path[len(prefix) :]
    return rest if rest[:1] in ("", "/") else None


def find_rule(policy: Policy, request: Request) -> Match | None:
    """The rule that holds, by every reading of path and method. AmbiguousRequest as ``Policy.match``."""
    overrides: list[str] = []
    if request.has_any(_OVERRIDES):
        overrides = [text.decode("latin-1") for name in _OVERRIDES for text in request.header_values(name)]
    return policy.match(request.method, request.path, request.root_path, request.raw_path, overrides)
