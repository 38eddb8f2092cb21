"""FastAPI: ``Depends(require_stepup(...))`` before an endpoint, and the documentation of what it may answer.

``StepUp(app)`` puts the middleware around an app and the answers into its OpenAPI document; where the middleware is put
by hand, ``document(app)`` does the second alone.
"""

# No annotations from __future__: FastAPI reads those of a dependency as values.

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.models import APIKey, APIKeyIn
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from .app_secrets import SecretProvider
from .asgi import StepUpMiddleware
from .config import Config, load_config
from .decorating import REASON, Action, Wanting
from .demands import Evidence
from .errors import AmbiguousRequest
from .policy import Policy
from .required import ask
from .routers import AppRoute
from .routers.starlette import StarletteRouter

__all__ = ["RESPONSES", "StepUp", "document", "require_stepup"]

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:stepup:challenge-required"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "flow_id": {"type": "string"},
        "challenge_id": {"type": "string"},
        "factors": {"type": "array", "items": {"type": "string"}},
        "max_age": {"type": "integer"},
        "expires_at": {"type": "string", "format": "date-time"},
        "verify_url": {"type": "string"},
        "page_url": {"type": "string"},
        "reason": {"type": "string"},
        "action": {"type": "object"},
        "attempts_left": {"type": "integer"},
    },
}


def _problem(description: str, **headers: str) -> dict[str, Any]:
    string = {"schema": {"type": "string"}}
    shown = {name.replace("_", "-"): {"description": text, **string} for name, text in headers.items()}
    content = {"application/problem+json": {"schema": _PROBLEM}}
    return {"description": description, "content": content, **({"headers": shown} if shown else {})}


RESPONSES: dict[int | str, dict[str, Any]] = {
    401: _problem(
        "A fresh proof is needed (`challenge-required`), a code was wrong, or nobody is signed in.",
        WWW_Authenticate="`StepUp`, or `Bearer` with `insufficient_user_authentication` (RFC 9470)",
    ),
    403: _problem("Denied by its risk (`denied`), or no authenticator is enrolled (`not-enrolled`)."),
    429: _problem("Too many wrong codes (`locked`).", Retry_After="Seconds until the lock ends"),
    503: _problem("A part that the decision depends on does not answer (`unavailable`).", Retry_After="Seconds"),
}
"""For ``responses=`` of a route."""


class require_stepup(SecurityBase):  # noqa: N801 - it is called like a function: Depends(require_stepup(...))
    """A dependency that lets the endpoint run only with a fresh proof, and gives the Evidence.

    rule: the name of a rule to judge by. The rest as ``stepup_mw.require`` has it; action: also a callable, sync, that
    is given the request and returns the fields. BadDemand where it stands, if it cannot be asked for.
    """

    def __init__(
        self,
        rule: str | None = None,
        *,
        reason: str = REASON,
        points: int = 0,
        max_age: int | str | None = None,
        action: Action | None = None,
        grant: Literal["request", "route"] | None = None,
        scheme_name: str = "StepUp",
    ) -> None:
        self._wanting = Wanting(
            reason=reason, points=points, max_age=max_age, action=action, rule=rule, grant=grant
        )  # fmt: skip
        text = (
            "A code of the user's authenticator. Or the grant of an earlier one, as `Step-Up-Grant` or in the cookie."
        )
        self.model = APIKey.model_validate({"in": APIKeyIn.header, "name": "Step-Up-Code", "description": text})
        self.scheme_name = scheme_name

    async def __call__(self, connection: HTTPConnection) -> Evidence:
        return await ask(connection, self._wanting.demand(connection))


class StepUp:
    """Puts the middleware around an app, and documents it. Call it before adding what says who the user is: what is
    added last is outermost.

    config: a path, a mapping of the same shape, or a loaded Config; left out, ``STEPUP_CONFIG`` of the environment,
    else ``stepup.toml``. ConfigError where it must not start.
    """

    def __init__(
        self,
        app: FastAPI,
        config: Any = None,
        *,
        clock: Callable[[], float] = time.time,
        secrets: SecretProvider | None = None,
    ) -> None:
        source = config if config is not None else os.environ.get("STEPUP_CONFIG") or "stepup.toml"
        loaded = load_config(source, os.environ)
        app.add_middleware(StepUpMiddleware, config=loaded, clock=clock, secrets=secrets)
        document(app, loaded)


def document(app: FastAPI, config: Config | None = None) -> None:
    """Add what may be answered to the OpenAPI document: for every route that asks for a proof itself, in routers too,
    and with a configuration for every route that a rule covers."""
    policy = Policy(config.settings.rules, config.settings.challenge.prefix) if config is not None else None
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = plain()
        if fresh:
            for route in StarletteRouter(app, lambda _: None).routes:
                _describe(schema, route, policy)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI's documentation names


def _describe(schema: dict[str, Any], route: AppRoute, policy: Policy | None) -> None:
    operations: Mapping[str, Any] = schema.get("paths", {}).get(_KIND.sub("}", route.path), {})
    for method in route.methods or ():
        operation = operations.get(method.lower())
        if operation is None or not (route.asks or _ruled(policy, method, route.samples)):
            continue
        responses = operation.setdefault("responses", {})
        for status, response in RESPONSES.items():
            responses.setdefault(str(status), response)


_KIND = re.compile(r":[a-z]+\}")


def _ruled(policy: Policy | None, method: str, paths: Sequence[str]) -> bool:
    """Whether a rule holds for one of the paths that the route takes."""
    try:
        return policy is not None and any(policy.match(method, path) is not None for path in paths)
    except AmbiguousRequest:
        return True
