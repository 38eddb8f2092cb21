"""Identity from the app's own session mapping: ``scope["session"]`` (Starlette), or one of the usual environ keys.

Put the step-up middleware inside the session middleware, so that the session has been read.
"""

from __future__ import annotations

from typing import Any

from ..messages import Request
from . import Identity

_KEYS = ("session", "beaker.session", "werkzeug.session")


class SessionProvider:
    """``user``: the key of the session that holds the user id. ``session``: the key of a session id, if any."""

    def __init__(self, *, user: str, session: str | None) -> None:
        self._user = user
        self._session = session

    def __call__(self, request: Request) -> Identity | None:
        stored = _stored(request)
        if stored is None:
            return None
        user = stored.get(self._user)
        if user is None or isinstance(user, bool) or not isinstance(user, str | int):
            return None
        session = stored.get(self._session) if self._session else None
        return Identity(user=str(user), session=str(session) if session is not None else None)


def _stored(request: Request) -> Any:
    for key in _KEYS:
        found = request.native.get(key)
        if hasattr(found, "get"):
            return found
    return None
