"""The gate's two cookies: the grants a browser holds, and the random id it is known by.

Both are HttpOnly, SameSite and, unless ``cookie.secure = false``, Secure with the ``__Host-`` prefix (RFC 6265bis),
so that no other host and no script can read or plant them.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..encoding import b64url_encode
from ..errors import BadToken
from ..messages import Request
from ..settings import CookieSettings
from .services import Services

MAX_GRANTS = 8
"""Grants that one browser holds at a time; the oldest go."""

DEVICE_MAX_AGE_S = 400 * 86_400

_GRANT = "stepup"
_DEVICE = "stepup-device"


def cookie_name(kind: str, settings: CookieSettings) -> str:
    """``__Host-stepup``, or ``stepup`` where ``cookie.secure = false``."""
    return f"__Host-{kind}" if settings.secure else kind


def read_grants(services: Services, request: Request) -> list[str]:
    """The grant tokens of the request's cookies, at most MAX_GRANTS, as sent."""
    tokens: list[str] = []
    for value in _values(services, request, _GRANT):
        tokens += [token for token in value.split("~") if token]
    return tokens[:MAX_GRANTS]


def read_device(services: Services, request: Request) -> str:
    """The id inside the first device cookie that this service made, or "" for none."""
    for value in _values(services, request, _DEVICE)[:4]:
        try:
            return services.keyring.unsign("device", value)
        except BadToken:
            continue
    return ""


def renewed_device(services: Services, request: Request) -> tuple[tuple[bytes, bytes], ...]:
    """The device cookie made anew by the newest key, where an older one made the one that was sent; else nothing."""
    device = read_device(services, request)
    sent = _values(services, request, _DEVICE)[:4]
    if not device or any(services.keyring.is_newest("device", value) for value in sent):
        return ()
    return (device_cookie(services, device),)


def new_device(services: Services) -> str:
    """A fresh random id, 128 bits, for a browser not seen before."""
    return b64url_encode(services.random(16))


def grants_cookie(services: Services, tokens: Sequence[str], max_age_s: int) -> tuple[bytes, bytes]:
    """The Set-Cookie header that holds these grant tokens; none of them clears the cookie."""
    settings = services.settings.cookie
    return _set_cookie(settings, _GRANT, "~".join(tokens[-MAX_GRANTS:]), max_age_s if tokens else 0, settings.same_site)


def device_cookie(services: Services, device: str) -> tuple[bytes, bytes]:
    """The Set-Cookie header for a device id. Lax, so that a visit from a link is the same device."""
    token = services.keyring.sign("device", device)
    return _set_cookie(services.settings.cookie, _DEVICE, token, DEVICE_MAX_AGE_S, "lax")


def _set_cookie(settings: CookieSettings, kind: str, value: str, max_age_s: int, same_site: str) -> tuple[bytes, bytes]:
    parts = [f"{cookie_name(kind, settings)}={value}", "Path=/", f"Max-Age={max_age_s}", "HttpOnly"]
    if settings.secure:
        parts.append("Secure")
    parts.append(f"SameSite={same_site.capitalize()}")
    return b"set-cookie", "; ".join(parts).encode("ascii")


def _values(services: Services, request: Request, kind: str) -> Sequence[str]:
    sent = request.header_values(b"cookie")
    if not sent:
        return ()
    found: list[str] = []
    wanted = cookie_name(kind, services.settings.cookie) + "="
    for header in sent:
        if wanted.encode() not in header:
            continue
        for part in header.decode("latin-1").split(";"):
            text = part.strip()
            if text.startswith(wanted):
                found.append(text[len(wanted) :].strip('"'))
    return found
