"""Who is asking, by Datasette's own reading of its actor cookie. Named in stepup.toml as ``identity:actor``."""

from __future__ import annotations

from typing import Any

from datasette.actor_auth_cookie import actor_from_request
from datasette.utils.asgi import Request


def actor(scope: dict[str, Any]) -> str | None:
    from app import datasette  # noqa: PLC0415 - by now it is loaded; at the top it would go round in a circle

    found = actor_from_request(datasette, Request(scope, None))
    return found.get("id") if found else None
