"""Identity from Django: ``request.user`` inside of Django's middlewares, else Django's own session and user around it.

The session that grants are bound to is Django's session key, or the hash that ends with the password where the session
is kept in the cookie itself and has no key of its own.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from typing import Any

from anyio import to_thread

from ..errors import IdentityUnavailable
from ..messages import Request
from . import Identity

USER = "django.user"
"""In the native mapping, what the Django door knows: the user, or an async callable that gives them."""

SESSION = "django.session"

_COOKIE_ENGINE = "django.contrib.sessions.backends.signed_cookies"


class DjangoProvider:
    """``user``: an attribute of the user (``pk``, ``email``); left out, ``get_username()``. ``session``: a key of the
    session's contents, in the place of the session's own key."""

    def __init__(self, *, user: str, session: str | None) -> None:
        self._user = user
        self._session = session

    async def __call__(self, request: Request) -> Identity | None:
        person = request.native.get(USER)
        try:
            if person is None:
                return await to_thread.run_sync(self._by_cookie, request)
            if not hasattr(person, "is_authenticated"):
                person = await person()
        except Exception as error:
            raise IdentityUnavailable(f"Django could not say who asks: {type(error).__name__}") from error
        return self._identity(person, request.native.get(SESSION))

    def _by_cookie(self, request: Request) -> Identity | None:
        """As SessionMiddleware and AuthenticationMiddleware do it, in a thread of its own."""
        from django.conf import settings  # type: ignore[import-untyped]  # noqa: PLC0415 - where there is a Django app
        from django.contrib.auth import get_user  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
        from django.db import close_old_connections  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
        from django.http import HttpRequest  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

        key = _cookie(request, settings.SESSION_COOKIE_NAME)
        if not key:
            return None
        asked = HttpRequest()
        asked.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        close_old_connections()
        try:
            return self._identity(get_user(asked), asked.session)  # also: is the password still that of the log-in?
        finally:
            close_old_connections()

    def _identity(self, person: Any, session: Any) -> Identity | None:
        if person is None or not person.is_authenticated:
            return None
        name = getattr(person, self._user) if self._user else person.get_username()
        return Identity(user=str(name), session=self._session_of(person, session))

    def _session_of(self, person: Any, session: Any) -> str | None:
        if session is None:
            return None
        if self._session is not None:
            found = session.get(self._session)
            return str(found) if found is not None else None
        if type(session).__module__ == _COOKIE_ENGINE:
            return str(person.get_session_auth_hash())
        return str(session.session_key) if session.session_key else None


def _cookie(request: Request, name: str) -> str:
    text = "; ".join(value.decode("latin-1") for value in request.header_values(b"cookie"))
    try:
        found = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""
