"""Identity from ``scope["user"]``, as Starlette's AuthenticationMiddleware (or one like it) leaves it.

Put the step-up middleware inside of it. Under WSGI the same object is looked for in ``environ["user"]``.
"""

from __future__ import annotations

from typing import Any

from ..messages import Request
from . import Identity


class ScopeUserProvider:
    """``user``: the attribute that names the user; by default ``identity``, else ``username``, else
    ``display_name``. ``session``: an attribute or a key of the app's session."""

    def __init__(self, *, user: str, session: str | None) -> None:
        self._names = (user,) if user else ("identity", "username", "display_name")
        self._session = session

    def __call__(self, request: Request) -> Identity | None:
        person = request.native.get("user")
        if person is None or not _is_authenticated(person):
            return None
        for name in self._names:
            value = _attribute(person, name)
            if value:
                return Identity(user=value, session=self._find_session(request, person))
        return None

    def _find_session(self, request: Request, person: Any) -> str | None:
        if self._session is None:
            return None
        value = _attribute(person, self._session)
        if value is None:
            stored: Any = request.native.get("session")
            value = stored.get(self._session) if hasattr(stored, "get") else None
        return str(value) if value is not None else None


def _is_authenticated(person: Any) -> bool:
    """True where the object says so; a method is asked, for it would be true by being there."""
    says = getattr(person, "is_authenticated", False)
    return bool(says() if callable(says) else says)


def _attribute(person: Any, name: str) -> str | None:
    try:
        value = getattr(person, name, None)
    except NotImplementedError:  # Starlette's BaseUser.identity raises it where a user class has none
        return None
    return str(value) if value is not None and not callable(value) else None
