"""Yesterday's trail under another policy: which requests there were, and whom the policy would have asked.

Works on what the lines say. What a signal found then is taken for true where only the moment could tell; what the line
itself shows (the hour, the address, whether the browser was known) is judged anew. Where a signal was not measured
then, both answers are followed: that it did not hold, and that it did.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from ..address_list import AddressList
from ..errors import AmbiguousRequest
from ..policy import Policy, Rule
from ..risk import assess
from ..settings import Settings, SignalSpec
from ..signals.off_hours import OffHours
from .acts import Act, Fate, root_of

ANEW = frozenset({"off_hours", "new_device", "address_list"})
"""Signals that a line shows by itself."""


@dataclass(slots=True, kw_only=True)
class Count:
    """``most``: asked or denied, if every signal that was not measured then had held."""

    requests: int = 0
    asked_then: int = 0
    asked: int = 0
    most: int = 0
    denied_then: int = 0
    denied: int = 0

    def add(self, then: Fate, now: Fate, most: Fate) -> None:
        self.requests += 1
        self.asked_then += then == "asked"
        self.asked += now == "asked"
        self.most += most in ("asked", "denied")
        self.denied_then += then == "denied"
        self.denied += now == "denied"


@dataclass(slots=True, kw_only=True)
class Tally:
    """``unmeasured``: requests for which a signal of the new policy had not been measured, by its name. ``unreadable``:
    lines of the trail that are none."""

    total: Count = field(default_factory=Count)
    routes: dict[str, Count] = field(default_factory=dict)
    users: dict[str, Count] = field(default_factory=dict)
    unmeasured: dict[str, int] = field(default_factory=dict)
    untouched: int = 0
    in_report_mode: int = 0
    refused: int = 0
    unreadable: int = 0
    begins: float = 0.0
    ends: float = 0.0


class Replay:
    """Scores acts under ``settings``. ``lists``: those of ``address_list``."""

    def __init__(self, settings: Settings, lists: Iterable[AddressList] = ()) -> None:
        self._settings = settings
        self._policy = Policy(settings.rules, settings.challenge.prefix)
        self._lists = tuple(lists)
        self._hours = {
            spec.name: OffHours(0, **spec.params) for spec in settings.risk.signals if spec.name == "off_hours"
        }
        self._proofs: tuple[dict[tuple[Any, ...], float], ...] = ({}, {})
        self.tally = Tally()

    def take(self, act: Act) -> None:
        tally = self.tally
        tally.begins, tally.ends = tally.begins or act.at, act.at
        rule = self._rule(act)
        missing = self._missing(act)
        for name in missing:
            tally.unmeasured[name] = tally.unmeasured.get(name, 0) + 1
        now = self._judge(act, rule, frozenset(), self._proofs[0])
        most = self._judge(act, rule, missing, self._proofs[1])
        tally.untouched += now == "untouched"
        tally.refused += now == "refused"
        tally.in_report_mode += isinstance(rule, Rule) and rule.mode == "report"
        route = rule.name if isinstance(rule, Rule) else f"({now}) {act.route or ''}".rstrip()
        by_user = tally.users.setdefault(act.user or "", Count())
        for count in (tally.total, tally.routes.setdefault(route, Count()), by_user):
            count.add(act.then, now, most)

    def _rule(self, act: Act) -> Rule | Literal["untouched", "refused"]:
        try:
            match = self._policy.match(act.method, act.path, root_of(act.method, act.path, act.template))
        except AmbiguousRequest:
            return "refused"
        return match.rule if match is not None else "untouched"

    def _missing(self, act: Act) -> frozenset[str]:
        if act.measured is None or act.user is None:
            return frozenset()
        names = {spec.name for spec in self._settings.risk.signals if not self._is_shown(spec, act)}
        return frozenset(names - act.measured)

    def _is_shown(self, spec: SignalSpec, act: Act) -> bool:
        """Whether the line shows by itself if the signal holds."""
        return spec.name in ANEW and (spec.name != "address_list" or act.ip is not None)

    def _judge(
        self, act: Act, rule: Rule | Literal["untouched", "refused"], held: frozenset[str], proofs: dict[Any, float]
    ) -> Fate:
        if not isinstance(rule, Rule):
            return rule
        if rule.mode == "report":
            return "passed"
        if act.user is None:
            return "login"
        points = {spec.name: self._points(spec, act, held) for spec in self._settings.risk.signals}
        verdict = assess(rule, points, self._settings.risk).verdict
        if verdict != "challenge":
            return "denied" if verdict == "deny" else "passed"
        if act.by_token and (rule.acr or rule.amr):
            return "passed"
        return self._ask(act, rule, proofs)

    def _points(self, spec: SignalSpec, act: Act, held: frozenset[str]) -> int:
        if spec.name in act.failed and not self._is_shown(spec, act):
            return spec.points if spec.on_failure is None else spec.on_failure
        if not self._is_shown(spec, act):
            return spec.points if spec.name in act.points or spec.name in held else 0
        if spec.name == "off_hours":
            holds = self._hours[spec.name].hold(act.at)
        elif spec.name == "new_device":
            holds = not act.device_known
        else:
            holds = act.ip is not None and any(each.contains(act.ip) for each in self._lists)
        return spec.points if holds else 0

    def _ask(self, act: Act, rule: Rule, proofs: dict[Any, float]) -> Fate:
        """Asked, unless a proof is fresh enough. Who is asked is taken to prove themself at once."""
        if rule.grant == "request":
            return "asked"
        scopes = (("route", rule.name), ("service", ""))
        holders = {act.holder, (*act.holder[:-1], None)}  # who was asked without a device cookie has one from then on
        held = max(proofs.get((holder, scope), float("-inf")) for holder in holders for scope in scopes)
        if act.at - held <= rule.max_age_s:
            return "passed"
        proofs[act.holder, scopes[rule.grant == "service"]] = act.at
        return "asked"
