"""One audit line as one readable row. A line may have been written by an attacker: every text is made safe.

11-23 07:25:00.123  ✓ access allowed        alice         POST /accounts/42/transfer (transfer)   grant · score 80
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .screen import clip, pad, paint, safe, width_of

Event = Mapping[str, Any]

GOOD, ASK, BAD, QUIET = ("✓", "green"), ("?", "yellow"), ("✗", "red"), ("·", None)

SIGNS = {
    ("trigger", "required"): ASK,
    ("trigger", "anonymous"): ASK,
    ("challenge", "issued"): ("…", "cyan"),
    ("outcome", "approved"): GOOD,
    ("outcome", "expired"): QUIET,
    ("outcome", "abandoned"): QUIET,
    ("access", "allowed"): GOOD,
    ("result", "completed"): QUIET,
    ("result", "aborted"): ASK,
    ("enrollment", "enrolled"): GOOD,
    ("enrollment", "replaced"): ASK,
    ("enrollment", "removed"): ASK,
    ("enrollment", "recovery_codes"): ASK,
    ("throttle", "unlocked"): GOOD,
    ("config", "loaded"): QUIET,
    ("config", "reloaded"): GOOD,
    ("config", "data_changed"): GOOD,
    ("config", "data_old"): ASK,
    ("grant", "used_up"): QUIET,
    ("grant", "accepted"): GOOD,
    ("grant", "revoked"): ASK,
    ("audit", "start"): QUIET,
    ("audit", "stop"): QUIET,
    ("audit", "rotated"): QUIET,
    ("audit", "checkpoint"): QUIET,
    ("audit", "recovered"): ASK,
    ("audit", "pruned"): ASK,
    ("audit", "heartbeat"): QUIET,
    ("audit", "key_changed"): ASK,
    ("audit", "hold"): ASK,
    ("audit", "sink_recovered"): GOOD,
    ("alert", "recovered"): GOOD,
    ("drill", "begun"): ASK,
    ("drill", "ended"): ASK,
    ("drill", "line"): QUIET,
}
"""By phase and status, or by event type and phase. What is not here went wrong, and is red."""

_KIND_WIDTH = 20
_USER_WIDTH = 12
_ACTION_WIDTH = 40
_LEAST_ACTION = 16


def format_row(event: Event, width: int | None) -> str:
    """The row, with colours, in at most ``width`` columns; None: as long as it is."""
    kind, status = _kind(event)
    sign, color = SIGNS.get((kind, status), BAD)
    time = _time(event)
    name = f"{kind} {status}" if width is None else clip(f"{kind} {status}", _KIND_WIDTH)
    left = [time, sign, pad(name, _KIND_WIDTH)]
    user = _text(event, "user_id", limit=256) or "-"
    action, words = _words(event, kind, status)
    used = sum(width_of(part) for part in left) + _USER_WIDTH + 6
    droppable = (_reason(event), _score(event), _text(event, "origin", "ip", limit=64))
    action, rest = _fit(action, words, None if width is None else width - used, droppable)
    shown_kind = paint(left[2], color, bold=kind == "access" or status == "approved", dim=color is None)
    shown_user = pad(clip(user, _USER_WIDTH), _USER_WIDTH) if width is not None else pad(user, _USER_WIDTH)
    head = f"{paint(time, dim=True)}  {paint(sign, color)} {shown_kind} {paint(shown_user, bold=user != '-')}"
    return f"{head}  {action}  {paint(rest, dim=True)}" if rest else f"{head}  {action.rstrip()}".rstrip()


def format_broken(raw: bytes, width: int | None) -> str:
    """A row for bytes that are no audit line."""
    text = f"✗ not an audit line: {safe(raw.decode('utf-8', 'backslashreplace'), 300)}"
    return paint(text if width is None else clip(text, width), "red")


def _kind(event: Event) -> tuple[str, str]:
    if event.get("event_type") == "step_up":
        return _text(event, "phase", limit=24) or "?", _text(event, "status", limit=24) or "?"
    return _text(event, "event_type", limit=24) or "?", _text(event, "phase", limit=24) or "?"


def _time(event: Event) -> str:
    """``11-23 07:25:00.123`` of an RFC 3339 timestamp in UTC, always 18 columns."""
    text = _text(event, "timestamp", limit=40)
    return pad(clip(text[5:23].replace("T", " "), 18), 18)


def _fit(action: str, words: list[str], room: int | None, droppable: Sequence[str]) -> tuple[str, str]:
    """Both in ``room`` columns: first words that may be dropped go, then the action is cut, then the other words go."""
    if room is None:
        return pad(action, _ACTION_WIDTH), " · ".join(words)
    wanted = min(width_of(action), _ACTION_WIDTH)
    for word in droppable:
        if _space(words, room) < wanted and word in words:
            words = [other for other in words if other != word]
    space = _space(words, room)
    if space < min(_LEAST_ACTION, wanted):
        return clip(action, max(room, 1)), ""
    return pad(clip(action, space), min(space, _ACTION_WIDTH)), " · ".join(words)


def _space(words: list[str], room: int) -> int:
    """What the words leave of the room."""
    return room - (width_of(" · ".join(words)) + 2 if words else 0)


def _words(event: Event, kind: str, status: str) -> tuple[str, list[str]]:
    if event.get("event_type") == "step_up":
        return _action(event), [word for word in _step_up(event, kind) if word]
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    return _TELL.get((kind, status), _plainly)(detail), []


def _action(event: Event) -> str:
    action = event.get("action")
    if not isinstance(action, Mapping):
        return ""
    route = _text(action, "route", limit=64)
    shown = f"{_text(action, 'method', limit=32)} {_text(action, 'path', limit=1024)}"
    return f"{shown} ({route})" if route else shown


def _step_up(event: Event, phase: str) -> list[str]:
    words = {
        "trigger": [_reason(event), _score(event)],
        "challenge": [_reason(event), _attempt(event), _text(event, "detail", limit=64)],
        "outcome": [_text(event, "proof", "method"), _reason(event)],
        "access": [_basis(event), _text(event, "detail", limit=64), _reason(event), _score(event)],
        "result": [_http(event)],
    }.get(phase, [])
    return [*words, _text(event, "origin", "ip", limit=64)]


def _reason(event: Event) -> str:
    return _text(event, "trigger_reason", limit=32)


def _score(event: Event) -> str:
    score = _text(event, "risk", "score", limit=8)
    return f"score {score}" if score else ""


def _attempt(event: Event) -> str:
    attempt = _text(event, "proof", "attempt", limit=8)
    return f"attempt {attempt}" if attempt else ""


def _basis(event: Event) -> str:
    basis, would = _text(event, "proof", "basis", limit=32), _text(event, "would", limit=16)
    age = _text(event, "proof", "age_s", limit=12) if basis == "grant" else ""
    shown = f"{basis} {age} s old" if age else basis
    return f"{shown}, would {would}" if would else shown


def _http(event: Event) -> str:
    status, duration = _text(event, "http", "status", limit=4), _text(event, "http", "duration_ms", limit=12)
    return f"{status or 'no answer'} in {duration} ms" if duration else status


def _text(value: Any, *names: str, limit: int = 128) -> str:
    """The text at a path of names, safe; "" where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return "" if value is None else safe(value, limit)


def _plainly(detail: Event) -> str:
    return " ".join(f"{safe(name, 32)}={safe(value, 80)}" for name, value in detail.items())


def _routes(count: str) -> str:
    return f"{count} route{'' if count == '1' else 's'}"


def _policy(detail: Event) -> str:
    return f"policy {clip(_text(detail, 'policy'), 19)}"


_TELL: dict[tuple[str, str], Callable[[Event], str]] = {
    ("enrollment", "enrolled"): lambda detail: f"an authenticator, by {_text(detail, 'by') or 'the user'}",
    ("enrollment", "replaced"): lambda detail: f"a new authenticator, by {_text(detail, 'by') or 'the user'}",
    ("enrollment", "removed"): lambda detail: f"no authenticator any more, by {_text(detail, 'by') or 'the user'}",
    ("enrollment", "recovery_codes"): lambda detail: f"new recovery codes, by {_text(detail, 'by') or 'the user'}",
    ("throttle", "locked"): lambda detail: f"after {_text(detail, 'failures')} wrong codes in a row",
    ("throttle", "unlocked"): lambda detail: f"{_text(detail, 'failures')} failures cleared, by {_text(detail, 'by')}",
    ("grant", "used_up"): lambda detail: f"the grant for {_text(detail, 'route')} was for one use",
    ("grant", "accepted"): lambda detail: (
        f"{_text(detail, 'basis')} for {_text(detail, 'route')}, which the app asked for: {_text(detail, 'reason')}"
    ),
    ("config", "loaded"): lambda detail: f"{_policy(detail)} in force, {_routes(_text(detail, 'routes'))}",
    ("config", "reloaded"): lambda detail: f"{_policy(detail)} in force",
    ("config", "reload_failed"): lambda detail: (
        f"{_text(detail, 'problems')} problems; {_policy(detail)} stays in force"
    ),
    ("drill", "begun"): lambda detail: f"{_text(detail, 'scenarios')} scenarios on trails of its own",
    ("drill", "ended"): lambda detail: f"{_text(detail, 'verdict')}; {_text(detail, 'report') or 'no report'}",
    ("config", "data_changed"): lambda detail: f"{_text(detail, 'file')} loaded anew, for {_text(detail, 'key')}",
    ("config", "data_failed"): lambda detail: f"{_text(detail, 'error')}; what was loaded before stays in force",
    ("config", "data_old"): lambda detail: (
        f"{_text(detail, 'file')} of {_text(detail, 'built')[:10]}, {_text(detail, 'key')}"
    ),
    ("audit", "start"): lambda detail: f"process {_text(detail, 'pid')} on {_text(detail, 'host')} writes",
    ("audit", "stop"): lambda detail: f"process {_text(detail, 'pid')} has stopped",
    ("audit", "heartbeat"): lambda detail: f"nothing happened for {_text(detail, 'silent_s')} s",
    ("audit", "checkpoint"): lambda detail: f"{_text(detail, 'size')} lines signed",
    ("audit", "gap"): lambda detail: (
        f"{_text(detail, 'lost')} lines lost, {_text(detail, 'refused')} refused: {_text(detail, 'why')}"
    ),
}
