"""Identity from a header that a trusted proxy in front has set, ``X-Auth-User`` for example.

Believed from trusted peers only. Servers and bridges spell ``X-Auth-User`` and ``X_Auth_User`` as one name, and
join repeated headers with a comma: whatever the app behind might take for another user is refused.
"""

from __future__ import annotations

from ..errors import AmbiguousRequest
from ..messages import Request
from ..origin import Networks
from . import Identity

UNDERSCORE = ord("_")


class HeaderProvider:
    """``user`` and ``session``: header names. ``trusted``: the peers whose headers count."""

    def __init__(self, *, user: str, session: str | None, trusted: Networks) -> None:
        self._user = _folded(user)
        self._session = _folded(session) if session else None
        self._trusted = trusted

    def __call__(self, request: Request) -> Identity | None:
        if not self._trusted.contain(request.peer):
            return None
        odd = request.has_odd_names()
        user = _single(request, self._user, odd)
        if user is None:
            return None
        session = _single(request, self._session, odd) if self._session else None
        return Identity(user, session)


def _folded(name: str) -> bytes:
    return name.lower().replace("_", "-").encode("latin-1")


def _single(request: Request, wanted: bytes, odd: bool) -> str | None:
    """The one value of a header, or None. AmbiguousRequest for two values or an underscore spelling; ``odd``: there may
    be some."""
    found = request.header(wanted)
    if (found is not None and b"," in found) or (odd and _is_twofold(request, wanted, found)):
        raise AmbiguousRequest("identity", f"more than one value for the header {wanted.decode('latin-1')}")
    return _text(found) if found else None


def _is_twofold(request: Request, wanted: bytes, found: bytes | None) -> bool:
    """Whether the header stands there in another spelling, or with another value than ``found``."""
    return any(
        value != found if name == wanted else UNDERSCORE in name and name.lower().replace(b"_", b"-") == wanted
        for name, value in request.headers
    )


def _text(value: bytes) -> str:
    try:
        return value.strip(b" \t").decode("utf-8")
    except UnicodeDecodeError:
        return value.strip(b" \t").decode("latin-1")
