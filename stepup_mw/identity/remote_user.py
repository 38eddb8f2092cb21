"""Identity from ``REMOTE_USER``, which the server itself has set: ``environ["REMOTE_USER"]`` under WSGI, and
``scope["remote_user"]`` or ``scope["state"]["remote_user"]`` under ASGI."""

from __future__ import annotations

from typing import Any

from ..messages import Request
from . import Identity


class RemoteUserProvider:
    """``session``: another variable of the same place that holds a session id, if any."""

    def __init__(self, *, session: str | None) -> None:
        self._session = session

    def __call__(self, request: Request) -> Identity | None:
        user = _variable(request, "REMOTE_USER")
        if not user:
            return None
        return Identity(user=user, session=_variable(request, self._session) if self._session else None)


def _variable(request: Request, name: str) -> str | None:
    value = request.native.get(name)
    if value is None and request.door == "asgi":
        state: Any = request.native.get("state")
        value = request.native.get(name.lower()) or (state.get(name.lower()) if hasattr(state, "get") else None)
    return value if isinstance(value, str) else None
