"""Who is asking, by Django's own session and user. Named in stepup.toml as ``identity:user``, for WSGI and ASGI."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import close_old_connections
from django.http import HttpRequest


def user(environ_or_scope: dict[str, Any]) -> tuple[str, str] | None:
    key = _session_key(environ_or_scope)
    if key is None:
        return None
    request = HttpRequest()
    request.session = SessionStore(key)
    try:
        found = get_user(request)  # also checks that the password is still the one of the login
    finally:
        close_old_connections()
    return (found.get_username(), key) if found.is_authenticated else None


def _session_key(given: dict[str, Any]) -> str | None:
    texts = [value.decode("latin-1") for name, value in given.get("headers", ()) if name == b"cookie"]
    try:
        cookies = SimpleCookie("; ".join([*texts, given.get("HTTP_COOKIE", "")]))
    except CookieError:
        return None
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else None
