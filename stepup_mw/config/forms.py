"""The written forms of single values: names, paths, addresses, hours, import names. Pure: text in, value out.

Each reader raises ValueError, or ``refuse(...)`` where it can say why, and returns the canonical spelling.
"""

from __future__ import annotations

import ipaddress
import keyword
import re
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from ..errors import PatternError, Unsupported
from ..patterns import compile_pattern
from ..stores.postgres import location as postgres
from ..stores.redis import location as redis
from .kinds import found, refuse, suggest

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "PURGE")
_WEBDAV = ("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "MKCALENDAR", "ACL")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", re.ASCII)
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SEGMENTS = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}", re.ASCII)
_HOURS = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9])", re.ASCII)
_GRACE = re.compile(r"grace until ([0-9]{4}-[0-9]{2}-[0-9]{2})", re.ASCII)
_LOOSE_GRACE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_CALL = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_UNSAFE = re.compile("[\x00-\x20\x7f-\xa0\\\\\u2028\u2029\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def read_service(value: str) -> str:
    return _match(_SERVICE, value)


def read_rule_name(value: str) -> str:
    """Shown in lines, cookies and answers: 1 to 64 characters without controls or blanks at the ends."""
    if not 1 <= len(value) <= 64 or not value.isprintable() or value != value.strip():
        raise ValueError
    return value


def read_token(value: str) -> str:
    """A token of RFC 9110 section 5.6.2: a header name."""
    return _match(_TOKEN, value)


def read_user_key(value: str) -> str:
    """A header name, session key or attribute: 1 to 128 characters without controls."""
    if not 1 <= len(value) <= 128 or not value.isprintable() or value != value.strip():
        raise ValueError
    return value


def read_method(value: str) -> str:
    """An upper-case method token (RFC 9110 section 9). One that looks like a misspelt known one is refused."""
    known = (*METHODS, *_WEBDAV)
    if value in known:
        return value
    hint = suggest(value, known)
    if hint or not _TOKEN.fullmatch(value) or value != value.upper():
        raise refuse(f'found {found(value)}; allowed is a method in capitals, such as "POST".{hint}'.removesuffix("."))
    return value


def read_path(value: str) -> str:
    """A route path in Starlette's syntax."""
    try:
        compile_pattern(value)
    except PatternError as error:
        raise refuse(str(error)) from None
    return value


def read_prefix(value: str) -> str:
    """An absolute path of plain segments, without a slash at the end."""
    prefix = _match(_SEGMENTS, value)
    if any(segment in {".", ".."} for segment in prefix.split("/")):
        raise ValueError
    return prefix


def read_login_url(value: str) -> str:
    """A path on this origin, or an absolute https URL: never a place that a redirect must not go."""
    if len(value) > 2000 or _UNSAFE.search(value):
        raise ValueError
    if value.startswith("/") and not value.startswith("//"):
        return value
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise ValueError
    return value


def read_network(value: str) -> str:
    """An address or a network in CIDR form, in canonical spelling."""
    if value == "*" or value in {"0.0.0.0/0", "::/0"}:
        raise refuse(f'found "{value}": this would believe anybody who can reach the port; name your proxies')
    network = ipaddress.ip_network(value, strict=False)
    if str(network.network_address) != str(ipaddress.ip_address(value.partition("/")[0])):
        raise refuse(f'found {found(value)}, an address inside a network. Did you mean "{network}"?')
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise refuse(f'found {found(value)}; write it as IPv4: "{network.network_address.ipv4_mapped}"')
    return str(network) if "/" in value else str(network.network_address)


def read_hours(value: str) -> tuple[str, str]:
    """``"22:00-06:00"`` to ("22:00", "06:00"); the end may lie on the next day, never on the start."""
    match = _HOURS.fullmatch(value)
    if match is None or match[1] == match[2]:
        raise ValueError
    return match[1], match[2]


def read_enroll(value: str) -> tuple[str, float]:
    """``"admin"``, ``"self"``, or ``"grace until 2027-01-31"``: the word, and when grace ends (Unix seconds; that day
    at 00:00 UTC)."""
    if value in ("admin", "self"):
        return value, 0.0
    match = _GRACE.fullmatch(value)
    if match is None:
        raise ValueError
    return "grace", datetime.combine(date.fromisoformat(match[1]), time(), UTC).timestamp()


def guess_enroll(value: Any) -> str | None:
    """What a misspelt mode may have meant."""
    if not isinstance(value, str):
        return None
    found = _LOOSE_GRACE.search(value)
    if found is not None:
        return f"grace until {found[0]}"
    close = get_close_matches(value[:40].lower(), ("admin", "self"), n=1)
    return close[0] if close else None


def read_timezone(value: str) -> str:
    """A name of the IANA database that this machine knows."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = suggest(value, available_timezones())
        message = f'found {found(value)}; allowed is an IANA time zone, such as "Europe/Berlin".{hint}'
        raise refuse(message.removesuffix(".")) from None
    return value


def read_call(value: str) -> str:
    """``"package.module:callable"``. It is imported when the service is put together, not here."""
    call = _match(_CALL, value)
    if any(keyword.iskeyword(part) for part in re.split("[.:]", call)):
        raise ValueError
    return call


def read_file_name(value: str) -> str:
    if not value or len(value) > 4000 or _CONTROL.search(value) or value.endswith("/"):
        raise ValueError
    return value


def read_store_url(value: str) -> str:
    """``memory://``, ``sqlite:///path``, ``redis://`` or ``postgresql://``. Never shown: store URLs carry passwords."""
    scheme = value.partition("://")[0]
    try:
        if scheme in redis.SCHEMES:
            redis.parse_location(value)
            return value
        if scheme in postgres.SCHEMES:
            postgres.parse_location(value)
            return value
    except Unsupported as error:
        raise refuse(f"{scheme}://: {error}") from None
    if value == "memory://":
        return value
    path = value.removeprefix("sqlite:///")
    if path == value:
        raise ValueError
    if path == ":memory:":
        raise refuse('an SQLite database in memory is not kept between connections. Did you mean "memory://"?')
    if "?" in path or "#" in path:
        raise refuse("options after the path are not supported: sqlite:///path takes a path only")
    read_file_name(path)
    return value


def _match(pattern: re.Pattern[str], value: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError
    return value


_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "pwd", "pass", "passphrase", "passcode", "secret", "token", "csrf", "csrfmiddlewaretoken",
     "otp", "totp", "pin", "tan", "cvv", "cvc", "cvn", "key", "apikey", "credential", "credentials", "authorization"}
)  # fmt: skip


def read_shown_field(value: str) -> str:
    """The name of a field that a page may show."""
    if not 0 < len(value) <= 64 or not value.isprintable():
        raise ValueError
    if any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(value)):
        raise refuse(f"found {found(value)}: a field of such a name may hold a secret, and is never shown")
    return value
