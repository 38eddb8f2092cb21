"""Who is asking, read from Flask's own signed session cookie. Named in stepup.toml as ``identity:user``."""

from __future__ import annotations

from typing import Any


def user(environ: dict[str, Any]) -> str | None:
    from app import app  # noqa: PLC0415 - by now it is loaded; at the top it would go round in a circle

    session = app.session_interface.open_session(app, app.request_class(environ))
    return session.get("user") if session else None
