"""The lines of a web server's access log, in combined format or JSON.

127.0.0.1 - - [23/Nov/2026:07:25:00 +0000] "POST /accounts/42/transfer HTTP/1.1" 200 12 "-" "curl"
{"time":"2026-11-23T07:25:00Z","method":"POST","path":"/accounts/42/transfer","status":200}
{"ts":1795418700.1,"request":{"method":"POST","uri":"/accounts/42/transfer"},"status":200}        Caddy
{"StartUTC":"2026-11-23T07:25:00Z","RequestMethod":"POST","RequestPath":"/…","OriginStatus":200}  Traefik
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ..encoding import parse_timestamp

_COMBINED = re.compile(rb'\S+ \S+ .*? \[([^\]]{10,40})\] "([^" ]{1,64}) (\S+)(?: [^"]*)?" ([0-9]{3}) ')
_TIMES = ("StartUTC", "time", "timestamp", "time_iso8601", "@timestamp", "ts", "time_local", "msec")
_METHODS = ("method", "request_method", "verb", "RequestMethod")
_PATHS = ("path", "uri", "request_uri", "url", "target", "RequestPath")
_STATUSES = ("status", "status_code", "response_status", "OriginStatus", "DownstreamStatus")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One request as the server logged it: ``time`` in Unix seconds, ``target`` as it was sent."""

    number: int
    time: float
    method: str
    target: str
    status: int


def parse_access(raw: bytes, number: int) -> Access | None:
    """A line of an access log, combined format or JSON; None for anything else."""
    return _from_json(raw, number) if raw.lstrip()[:1] == b"{" else _from_combined(raw, number)


def _from_combined(raw: bytes, number: int) -> Access | None:
    match = _COMBINED.match(raw)
    if match is None:
        return None
    try:
        time = datetime.strptime(match[1].decode("ascii"), "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        return None
    return Access(
        number=number,
        time=time,
        method=match[2].decode("latin-1"),
        target=match[3].decode("latin-1"),
        status=int(match[4]),
    )


def _from_json(raw: bytes, number: int) -> Access | None:
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict):
        return None
    inner = event["request"] if isinstance(event.get("request"), dict) else event
    method, target = _first(inner, _METHODS), _first(inner, _PATHS)
    if method is None and isinstance(event.get("request"), str):
        method, target = [*event["request"].split(" "), "", ""][:2]
    time, status = read_time(_first(event, _TIMES)), _first(event, _STATUSES)
    if not isinstance(method, str) or not isinstance(target, str) or not target or time is None:
        return None
    try:
        return Access(number=number, time=time, method=method, target=target, status=int(status or 0))
    except (TypeError, ValueError):
        return None


def _first(event: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((event[name] for name in names if event.get(name) not in (None, "")), None)


def read_time(value: Any) -> float | None:
    """Unix seconds out of a number, an RFC 3339 time, or the time of the combined format; None for anything else."""
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        return parse_timestamp(value)
    except (TypeError, ValueError, AttributeError):
        pass
    try:
        return datetime.strptime(value, "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except (TypeError, ValueError):
        return None
