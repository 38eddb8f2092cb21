"""The requests that a trail tells of: each once, with what was found about it and what became of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from ..encoding import parse_timestamp
from ..errors import AmbiguousRequest
from ..policy import Policy, Rule

Fate = Literal["asked", "denied", "passed", "login", "refused", "untouched"]
_THEN: Mapping[str, Fate] = {"required": "asked", "not_enrolled": "asked", "denied": "denied", "anonymous": "login"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One recorded request; a request that was asked and came again after its proof is one. ``measured``: the signals
    of the policy of that day, None where the trail does not say."""

    at: float
    user: str | None
    holder: tuple[str | None, ...]
    method: str
    path: str
    template: str | None
    route: str | None
    then: Fate
    by_token: bool
    points: Mapping[str, int]
    failed: frozenset[str]
    measured: frozenset[str] | None
    device_known: bool
    ip: str | None


def read_acts(events: Iterable[Mapping[str, Any]]) -> Iterator[Act]:
    """The requests of a trail, in its order."""
    signals: dict[str, frozenset[str]] = {}
    open_flows: set[str] = set()
    for event in events:
        if event.get("event_type") == "config":
            _learn(event, signals)
        elif event.get("event_type") == "step_up":
            then = _fate(event, open_flows)
            if then is not None:
                with contextlib.suppress(ValueError, OverflowError):  # without a time it is no line of ours
                    yield _act(event, then, signals)


def _learn(event: Mapping[str, Any], signals: dict[str, frozenset[str]]) -> None:
    """Which signals a policy measures, as its ``config`` line says."""
    detail = event.get("detail")
    if isinstance(detail, Mapping) and isinstance(detail.get("signals"), list):
        signals[str(detail.get("policy"))] = frozenset(map(str, detail["signals"]))


def _fate(event: Mapping[str, Any], open_flows: set[str]) -> Fate | None:
    """What became of the request that this line is the first of; None for every other line."""
    flow, phase, status = str(event.get("flow_id")), event.get("phase"), str(event.get("status"))
    if phase == "trigger":
        if status == "required":
            open_flows.add(flow)
        return _THEN.get(status)
    if phase != "access" or status != "allowed" or _of(event, "proof").get("basis") == "resume":
        return None
    if flow in open_flows:
        open_flows.discard(flow)
        return None
    return "passed"


def _act(event: Mapping[str, Any], then: Fate, signals: Mapping[str, frozenset[str]]) -> Act:
    action, origin, risk = _of(event, "action"), _of(event, "origin"), _of(event, "risk")
    whole = "ip_prefix" not in origin and not origin.get("ip_doubt")
    points = {str(name): value for name, value in _of(risk, "signals").items() if isinstance(value, int)}
    points.pop("route", None)
    return Act(
        at=parse_timestamp(str(event.get("timestamp"))),
        user=event.get("user_id"),
        holder=(event.get("user_id"), event.get("session_id"), origin.get("device_id")),
        method=str(action.get("method")),
        path=str(action.get("path")),
        template=action.get("template"),
        route=action.get("route"),
        then=then,
        by_token=_of(event, "proof").get("basis") == "token",
        points=points,
        failed=frozenset(map(str, risk.get("failed") or ())),
        measured=signals.get(str(_of(event, "policy").get("version"))),
        device_known=bool(origin.get("device_known")),
        ip=origin.get("ip") if whole else None,
    )


def _of(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


@lru_cache(maxsize=4096)
def root_of(method: str, path: str, template: str | None) -> str:
    """Where the app was mounted: the rule of that day tells, for the line has the whole path."""
    if template is None:
        return ""
    then = Policy((Rule(name="then", path=template, version=""),), "/_stepup")
    for at in [0, *(place for place, char in enumerate(path) if char == "/" and place)]:
        try:
            if then.match(method, path[at:]) is not None:
                return path[:at]
        except AmbiguousRequest:
            return ""
    return ""
