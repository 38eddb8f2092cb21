"""Every way an app below could read a request's method."""

from __future__ import annotations

from collections.abc import Collection, Sequence

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""The methods that mean themselves. Any other may be run as any of these (a plain Django view runs on all)."""


def method_readings(method: str, override: Sequence[str] = ()) -> tuple[str, ...]:
    """The method in upper case (Django, Werkzeug), those of the override headers, and all if one of them is unknown."""
    sent = dict.fromkeys(value.strip().upper() for value in (method, *override) if value.strip())
    if sent and sent.keys() <= METHODS and method.isascii():
        return tuple(sent)
    return tuple(dict.fromkeys([*sent, *sorted(METHODS)]))


def covered_methods(methods: Collection[str] | None) -> frozenset[str] | None:
    """The methods a rule for ``methods`` holds for; None is every method. A GET route serves HEAD on every stack."""
    if methods is None:
        return None
    upper = frozenset(method.upper() for method in methods)
    return upper | {"HEAD"} if "GET" in upper else upper
