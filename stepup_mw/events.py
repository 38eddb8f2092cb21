"""The catalogue of audit lines: which phases and statuses there are, and how a line is spelt.

A record made here is one JSON object as bytes, without ``prev``, ``seq`` and ``writer``: the trail puts those in
when the record takes its place in the chain. Never in a line: codes, secrets, cookies, tokens, query strings,
bodies; a session id only as a keyed hash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .encoding import format_timestamp

MAX_LINE = 16 * 1024
"""Bytes of a whole line, the line feed included."""

_SPLICE_ROOM = 512
"""Bytes of a line that the trail fills in: ``prev``, ``seq`` and ``writer``."""

_MOST = MAX_LINE - _SPLICE_ROOM

STEP_UP: Mapping[str, frozenset[str]] = {
    "trigger": frozenset({"required", "denied", "not_enrolled", "anonymous"}),
    "challenge": frozenset({"issued", "rejected", "replayed", "locked"}),
    "outcome": frozenset({"approved", "denied", "expired", "abandoned", "locked", "error"}),
    "access": frozenset({"allowed", "refused"}),
    "result": frozenset({"completed", "failed", "aborted"}),
}
"""The phases of a ``step_up`` line and the statuses each can have."""

OTHER: Mapping[str, frozenset[str]] = {
    "enrollment": frozenset({"enrolled", "replaced", "removed", "recovery_codes", "rejected", "device_forgotten"}),
    "grant": frozenset({"revoked", "used_up", "accepted"}),
    "throttle": frozenset({"locked", "unlocked"}),
    "config": frozenset(
        {"loaded", "reloaded", "reload_failed", "keys_changed", "data_changed", "data_failed", "data_old"}
    ),
    "audit": frozenset(
        {"start", "stop", "rotated", "recovered", "checkpoint", "pruned", "file_replaced", "io_error", "gap"}
        | {"sink_failed", "sink_recovered", "heartbeat", "key_changed", "hold", "disk_pressure"}
    ),
    "alert": frozenset(
        {"unavailable", "recovered", "duplicate_code", "unanchored", "disk_pressure", "notice_failed"}
        | {"store_lost", "store_accepted"}
    ),
    "drill": frozenset({"begun", "ended", "line"}),
}
"""The kinds (``phase``) of every other event type."""

_VITAL = frozenset(
    {"timestamp", "event_type", "phase", "status", "trigger_reason", "user_id", "flow_id", "event_id", "service"}
)
DEL = 0x7F
"""As an int: to look for one byte in bytes by its number takes a tenth of the time."""

_STRICT = orjson.OPT_STRICT_INTEGER
_NOT_PRINTABLE = re.compile("[\x7f-\U0010ffff]")


class Facts(NamedTuple):
    """What all lines of one request share. A named tuple, for one is made for every sensitive request and a frozen
    dataclass takes four times as long."""

    user_id: str | None
    session_id: str | None
    flow_id: str
    request_id: str
    service: str
    action: Mapping[str, Any] | None
    origin: Mapping[str, Any] | None
    risk: Mapping[str, Any] | None
    policy: Mapping[str, Any] | None
    trace: Mapping[str, Any] | None


def step_up(
    facts: Facts,
    *,
    phase: str,
    status: str,
    now: float,
    event_id: str,
    reason: str | None = None,
    proof: Mapping[str, Any] | None = None,
    http: Mapping[str, Any] | None = None,
    would: str | None = None,
    detail: str | None = None,
) -> bytes:
    """One ``step_up`` record. Every record has the same keys in the same order; what does not apply is null."""
    return encode(
        {
            "timestamp": format_timestamp(now),
            "event_type": "step_up",
            "phase": phase,
            "status": status,
            "trigger_reason": reason,
            "user_id": facts.user_id,
            "session_id": facts.session_id,
            "flow_id": facts.flow_id,
            "request_id": facts.request_id,
            "event_id": event_id,
            "service": facts.service,
            "action": facts.action,
            "origin": facts.origin,
            "risk": facts.risk,
            "proof": proof,
            "http": http,
            "would": would,
            "detail": detail,
            "policy": facts.policy,
            "trace": facts.trace,
        }
    )


def other(
    event_type: str,
    phase: str,
    *,
    now: float,
    event_id: str,
    service: str,
    user_id: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> bytes:
    """A record of another event type (``enrollment``, ``throttle``, ``audit`` …); ``detail`` says the rest."""
    return encode(
        {
            "timestamp": format_timestamp(now),
            "event_type": event_type,
            "phase": phase,
            "user_id": user_id,
            "event_id": event_id,
            "service": service,
            "detail": detail,
        }
    )


def encode(event: Mapping[str, Any]) -> bytes:
    """One JSON object in ASCII bytes, no line feed, at most MAX_LINE less the room the trail needs.

    What is not printable ASCII is escaped, so that no control, C1, bidi or separator character stands raw in a
    line. A lone surrogate or an integer beyond 53 bits, which no JSON reader need take, is spelt out as text. Too long:
    the long texts are cut and ``"truncated": true`` is added.
    """
    data = _spell(event)
    if len(data) <= _MOST:
        return data
    for limit in (1024, 256, 64, 16):
        data = _spell({**_cut(event, limit), "truncated": True})
        if len(data) <= _MOST:
            return data
    kept = {key: _cut(value, 64) if key in _VITAL else None for key, value in event.items() if len(key) <= 64}
    return _spell({**dict(list(kept.items())[:64]), "truncated": True})


def _spell(event: Mapping[str, Any]) -> bytes:
    try:
        data = orjson.dumps(event, option=_STRICT)
    except orjson.JSONEncodeError:
        data = orjson.dumps(_tamed(event), option=_STRICT)
    return escape(data)


def escape(data: bytes) -> bytes:
    """JSON in UTF-8 as JSON in printable ASCII."""
    if data.isascii() and DEL not in data:
        return data
    return _NOT_PRINTABLE.sub(_escape, data.decode()).encode("ascii")


def _tamed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_tamed(key): _tamed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tamed(item) for item in value]
    if isinstance(value, int) and abs(value) >= 2**53:
        return hex(value)
    return value


def _escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    if point < 0x10000:
        return f"\\u{point:04x}"
    point -= 0x10000
    return f"\\u{0xD800 + (point >> 10):04x}\\u{0xDC00 + (point & 0x3FF):04x}"


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else value[: limit - 1] + "…"
    if isinstance(value, Mapping):
        return {key: _cut(item, limit) for key, item in list(value.items())[:limit]}
    return value
