"""Who is asking: one file a provider. The app has logged the person in already; a provider only reads that.

A provider is called with the Request and gives an Identity or None, at once or as an awaitable. Two different
answers in one request are AmbiguousRequest, never a choice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ..assertion import Assertion
from ..errors import AmbiguousRequest
from ..messages import Request

MAX_USER = 256
"""Characters of a user id. A longer one is refused, not cut: two users must never become one."""


class Identity(NamedTuple):
    """``session`` is the app's session id where the provider knows one; it binds grants and is logged only as a
    keyed hash. ``assertion``: what an access token says of how its user authenticated."""

    user: str
    session: str | None = None
    assertion: Assertion | None = None


Provider = Callable[[Request], "Identity | Awaitable[Identity | None] | None"]


def checked(identity: Identity | None) -> Identity | None:
    """The identity if it can stand in a line and a key: 1 to MAX_USER characters, no control characters."""
    if identity is None or not identity.user:
        return None
    if len(identity.user) > MAX_USER or not identity.user.isprintable():
        raise AmbiguousRequest("identity", "the user id is too long or has control characters")
    if identity.session is not None and len(identity.session) > 4096:
        raise AmbiguousRequest("identity", "the session id is too long")
    return identity
