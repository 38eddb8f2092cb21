"""The bank's own login: a signed session cookie for browsers, a bearer token for programs.

Either way the app, and whatever is wrapped around it, finds the person in ``scope["session"]``.
"""

from __future__ import annotations

import hmac

from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "linden-session"


class SignIn:
    """``token`` is the one API token there is, and ``user`` whose it is."""

    def __init__(self, app: ASGIApp, *, secret: str, token: str, user: str) -> None:
        self._app = app
        self._with_cookie = SessionMiddleware(app, secret, session_cookie=COOKIE, max_age=None, same_site="lax")
        self._token = token.encode()
        self._user = user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bearer = _bearer(scope)
        if bearer is None:
            await self._with_cookie(scope, receive, send)
            return
        known = hmac.compare_digest(bearer, self._token)
        scope["session"] = {"user": self._user, "sid": "api-token"} if known else {}
        await self._app(scope, receive, send)


def _bearer(scope: Scope) -> bytes | None:
    for name, value in scope.get("headers", ()):
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:].strip())
    return None
