"""``require``: code of the app asks for a proof, for what only the app knows: an amount, the owner of a record.

It asks through what the middleware has left in the request; without a middleware around the app there is nothing to
ask, and nothing is let on.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from typing import Any, Literal, Protocol, cast

from .demands import KEY, Demand, Evidence, StepUpRequired, make_demand
from .errors import NotWrapped

__all__ = ["Evidence", "StepUpRequired", "ask", "ask_sync", "require", "require_sync"]

Native = MutableMapping[str, Any]


class _Asking(Protocol):
    async def ask(self, native: Native, demand: Demand) -> Evidence: ...

    async def form_token(self, native: Native, method: str, path: str) -> str: ...

    def form_token_blocking(self, native: Native, method: str, path: str) -> str: ...

    def ask_blocking(self, native: Native, demand: Demand) -> Evidence: ...


async def require(
    request: Any,
    *,
    reason: str,
    points: int = 0,
    max_age: int | str | None = None,
    action: Mapping[str, Any] | None = None,
    rule: str | None = None,
    grant: Literal["request", "route"] | None = None,
) -> Evidence:
    """Go on only with a fresh proof that it is really the user; else the middleware asks them for one.

    request: of Starlette, FastAPI, Litestar, Django, Flask or Quart; or the ASGI scope, or the WSGI environ. reason: a
    sentence for the person, on the page and in the audit line. points: added to the score of the request; at
    ``deny_at`` it is refused. max_age: how old the proof may be, in seconds or as ``"5m"``; left out, the rule's age,
    five minutes where there is none. action: up to 8 fields that are shown and logged; a proof asked for with fields
    counts for these only. rule: judge by the rule of that name instead, by its score as well. grant: ``"request"`` for
    a proof of this request's own, used once.

    Gives the Evidence, once it is on record. Raises StepUpRequired, which is no ``Exception`` and is the middleware's
    to answer; BadDemand, NotWrapped, and AskedTooLate once the answer has begun.
    """
    demand = make_demand(reason=reason, points=points, max_age=max_age, action=action, rule=rule, grant=grant)
    return await ask(request, demand)


def require_sync(
    request: Any,
    *,
    reason: str,
    points: int = 0,
    max_age: int | str | None = None,
    action: Mapping[str, Any] | None = None,
    rule: str | None = None,
    grant: Literal["request", "route"] | None = None,
) -> Evidence:
    """As ``require``, for code that is not async; it waits for the decision."""
    demand = make_demand(reason=reason, points=points, max_age=max_age, action=action, rule=rule, grant=grant)
    return ask_sync(request, demand)


async def ask(request: Any, demand: Demand) -> Evidence:
    """As ``require``, for a demand that is made already."""
    native = native_of(request)
    return await _asking(native).ask(native, _placed(request, native, demand))


def ask_sync(request: Any, demand: Demand) -> Evidence:
    """As ``require_sync``, for a demand that is made already."""
    native = native_of(request)
    return _asking(native).ask_blocking(native, _placed(request, native, demand))


def asking(request: Any) -> tuple[Native, _Asking]:
    """What the middleware left in a request, and the request. NotWrapped where there is nothing."""
    native = native_of(request)
    return native, _asking(native)


def native_of(request: Any) -> Native:
    """The ASGI scope or the WSGI environ of a request, whichever framework it is of."""
    named = (request, *(getattr(request, name, None) for name in ("scope", "environ")))
    for found in named:
        if isinstance(found, MutableMapping):
            outer = found.get("asgi.scope")  # a2wsgi hands the scope on to a WSGI app
            return outer if KEY not in found and isinstance(outer, MutableMapping) else found
    raise NotWrapped(f"require: {type(request).__name__} is no request: it has neither a scope nor an environ")


def _asking(native: Native) -> _Asking:
    found = native.get(KEY)
    if found is None:
        raise NotWrapped("require: the request came through no StepUpMiddleware, so that there is nobody to ask")
    return cast("_Asking", found[0] if isinstance(found, tuple) else found)


def _placed(request: Any, native: Native, demand: Demand) -> Demand:
    """The demand with the framework's own name for the route, where it says one: all requests of it are one route."""
    places: tuple[Any, ...] = (
        getattr(native.get("route"), "path", None),  # FastAPI
        native.get("path_template"),  # Litestar
        getattr(getattr(request, "url_rule", None), "rule", None),  # Flask, Quart
        getattr(getattr(request, "resolver_match", None), "route", None),  # Django
    )
    for place in places:
        if isinstance(place, str) and place:
            mount = str(native.get("root_path") or native.get("SCRIPT_NAME") or "").rstrip("/")
            return replace(demand, template=f"{mount}/{place.lstrip('/')}")
    return demand
