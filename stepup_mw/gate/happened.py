"""What happened to an account lately, in words for the person it belongs to, from the lines of the trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..encoding import parse_timestamp
from ..pages import Said, say
from . import wording


def is_told(line: Mapping[str, Any]) -> bool:
    """Whether a line is one that people are shown."""
    return line["event_type"] in _SAID


def told(line: Mapping[str, Any]) -> dict[str, object]:
    """A line for the page: ``what``, of which ``route``, ``from`` where, ``when``, and whether that is ``bad`` news."""
    kind = line["event_type"] if line["event_type"] != "step_up" else line["phase"]
    what = _SAID[line["event_type"]].get(f"{line['phase']}/{line.get('status')}") or say(f"event.{kind}")
    when = parse_timestamp(line["timestamp"])
    return {
        "what": what,
        "route": route_of(line) or "",
        "from": wording.origin(line["origin"]) if line.get("origin") else (line.get("detail") or {}).get("ip", ""),
        "when": wording.clock(when),
        "when_day": wording.day(when),
        "when_iso": line["timestamp"],
        "bad": what in _BAD,
    }


def route_of(line: Mapping[str, Any]) -> str | None:
    route: str | None = (line.get("action") or {}).get("route")
    return route


_WRONG, _TWICE, _LOCKED = say("event.wrong"), say("event.twice"), say("event.locked")
_REFUSED = say("event.refused")
_BAD = (_WRONG, _TWICE, _LOCKED, _REFUSED, say("event.alert"))
_SAID: Mapping[str, Mapping[str, Said]] = {
    "step_up": {
        "challenge/issued": say("event.asked"),
        "challenge/rejected": _WRONG,
        "challenge/replayed": _TWICE,
        "challenge/locked": _LOCKED,
        "outcome/approved": say("event.approved"),
        "outcome/denied": say("event.cancelled"),
        "outcome/expired": say("event.left"),
        "outcome/abandoned": say("event.left"),
        "outcome/locked": _LOCKED,
        "access/allowed": say("event.done"),
        "access/refused": _REFUSED,
        "trigger/denied": _REFUSED,
    },
    "enrollment": {"rejected/None": _WRONG},
    "grant": {},
    "throttle": {"locked/None": _LOCKED, "unlocked/None": say("event.unlocked")},
    "alert": {"duplicate_code/None": _TWICE},
}
"""The lines that people are shown, and those that have words of their own; the rest are told by their kind."""
