"""Identity from a Flask app's session, read with the app's own session interface: its signed cookie, or whatever an
extension keeps on a server. Works in front of the app, and in front of what is put around it.
"""

from __future__ import annotations

from typing import Any

from anyio import to_thread

from ..errors import IdentityUnavailable
from ..messages import Request
from . import Identity

KEYS = ("_user_id", "user_id", "user")
"""What Flask-Login calls it, then what apps do; the first that is there. ``identity.user`` names another."""


class FlaskProvider:
    """``user``: the key of the session that holds the user id. ``session``: the key of a session id; left out, the
    ``sid`` of a session that has one."""

    def __init__(self, *, user: str, session: str | None) -> None:
        self._keys = (user,) if user else KEYS
        self._session = session

    async def __call__(self, request: Request) -> Identity | None:
        app = request.app
        if app is None or not hasattr(app, "session_interface"):
            raise IdentityUnavailable('identity.provider = "flask": there is no Flask app inside of this middleware')
        try:
            if type(app.session_interface).__module__ == "flask.sessions":  # a signed cookie: nothing to wait for
                stored = _open(app, request)
            else:
                stored = await to_thread.run_sync(_open, app, request)
        except Exception as error:
            raise IdentityUnavailable(f"the app's session could not be read: {type(error).__name__}") from error
        return self._identity(stored)

    def _identity(self, stored: Any) -> Identity | None:
        if stored is None:
            return None
        user = next((found for key in self._keys if (found := stored.get(key)) is not None), None)
        if user is None or isinstance(user, bool) or not isinstance(user, str | int):
            return None
        session = stored.get(self._session) if self._session else getattr(stored, "sid", None)
        return Identity(user=str(user), session=str(session) if session is not None else None)


def _open(app: Any, request: Request) -> Any:
    environ = dict(request.native) if "wsgi.version" in request.native else _environ(request)
    with app.app_context():
        return app.session_interface.open_session(app, app.request_class(environ))


def _environ(request: Request) -> dict[str, Any]:
    """What a session needs of a request that came by ASGI, to a Flask app in a bridge."""
    cookies = b"; ".join(request.header_values(b"cookie")).decode("latin-1")
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": request.scheme,
        "HTTP_COOKIE": cookies,
    }
