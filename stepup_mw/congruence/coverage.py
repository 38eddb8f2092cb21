"""Which rule covers which route of an app, by what both really answer to the routes' own requests.

Nothing is compared as text: each sample of a route goes to the app's router and to the gate's matching.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..methods import METHODS, covered_methods
from ..patterns import Pattern, compile_pattern
from ..policy import Policy, Rule
from ..routers import AppRoute, Router
from ..routers.texts import fill
from .judge import Judge
from .sensitive import CHANGING, SAFE, words_in
from .spelling import Spelling, plain
from .wire import handed

State = Literal["covered", "partly", "gap", "public", "open", "unread", "unreached"]

_VALUES = ("x7", "7", "12345678-1234-5678-1234-567812345678", "2026-01-31", "a/b.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteCover:
    """rules: by method, the names of the rules that its samples meet, "" among them where a sample meets none.
    missing: the methods that change state and that no rule covers. covered: every request that changes state, or every
    request at all, meets a rule, or the handler asks for a proof itself. public: accepted as such. open: changes no
    state. unread: an app inside the app whose routes nobody knows. unreached: the app itself sends its requests
    elsewhere. tried: a sample reached it; else its requests were judged without having been seen there."""

    route: AppRoute
    state: State
    rules: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...] = ()
    tried: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleUse:
    """routes: the paths of the routes that the rule holds for. by: the earlier rule that takes what it could hold for.
    near: a route of the app that it may have been meant for."""

    rule: Rule
    routes: tuple[str, ...]
    by: str = ""
    near: str = ""
    note: str = ""


class Coverage:
    """One router, one policy. ``public``: entries of ``check.public``."""

    def __init__(self, router: Router, policy: Policy, public: Iterable[str] = ()) -> None:
        self._router = router
        self._policy = policy
        self._judge = Judge(policy, router.root_path)
        self._public = [_accepted(entry) for entry in public]
        self.routes = tuple(self._cover(route) for route in router.routes)
        self.rules = tuple(self._use(rule) for rule in policy.rules)

    def _cover(self, route: AppRoute) -> RouteCover:
        met = {"tried": dict[str, tuple[str, ...]](), "in doubt": dict[str, tuple[str, ...]]()}
        for method in methods_of(route):
            for sample in route.samples:
                reached = self._reaches(route, method, sample)
                if reached:
                    rules = met[reached]
                    name = self._rule_name(_request(route, method, sample))
                    rules[method] = tuple(dict.fromkeys((*rules.get(method, ()), name)))
        rules = met["tried"] or met["in doubt"]
        if not rules:
            return RouteCover(route=route, state="unreached", rules=rules)
        changing = [] if route.asks else _changing(route, rules)
        open_ = [method for method in changing if "" in rules.get(method, ("",))]
        missing = tuple(method for method in open_ if not self._is_public(route, method))
        state = _state(route, rules, open_, missing)
        return RouteCover(route=route, state=state, rules=rules, missing=missing, tried=bool(met["tried"]))

    def _use(self, rule: Rule) -> RuleUse:
        """The routes it holds for, by their samples and by its own path."""
        routes = [cover.route.path for cover in self.routes if any(rule.name in met for met in cover.rules.values())]
        others: list[str] = []
        for spelling in _own_requests(rule):
            _, native = next(handed(spelling, self._router.interface))
            hit = self._dispatch(native)
            if hit is not None:
                name = self._rule_name(spelling)
                (routes if name == rule.name else others).append(hit.path if name == rule.name else name)
        found = tuple(dict.fromkeys(routes))
        if found:
            return RuleUse(rule=rule, routes=found)
        by = next(iter(others), "") or self._taken(rule)
        near, note = ("", "") if by else self._nearest(rule)
        return RuleUse(rule=rule, routes=(), by=by, near=near, note=note)

    def _taken(self, rule: Rule) -> str:
        """The rule that holds for the routes which this one's path matches, too."""
        pattern = compile_pattern(rule.path)
        for cover in self.routes:
            for method, met in cover.rules.items():
                if _allows(rule, method) and any(met) and self._matches(pattern, cover.route):
                    return next(name for name in met if name)
        return ""

    def _nearest(self, rule: Rule) -> tuple[str, str]:
        """The route that the rule may have been meant for, and what sets them apart."""
        pattern = compile_pattern(rule.path)
        for cover in self.routes:
            if cover.rules and self._matches(pattern, cover.route):
                return cover.route.path, f"the app has {', '.join(methods_of(cover.route))} there"
        if any(cover.state == "unreached" and self._matches(pattern, cover.route) for cover in self.routes):
            return "", "the app has such a route, and sends its requests elsewhere"
        paths = [cover.route.path for cover in self.routes]
        return next(iter(difflib.get_close_matches(rule.path, paths, 1, 0.6)), ""), ""

    def _reaches(self, route: AppRoute, method: str, sample: str) -> Literal["tried", "in doubt", ""]:
        """In doubt where it reaches nothing at all: the sample may have a value that the route does not take."""
        _, native = next(handed(_request(route, method, sample), self._router.interface))
        hit = self._dispatch(native)
        return "tried" if hit is route else "in doubt" if hit is None and not route.moved else ""

    def _dispatch(self, native: dict[str, object]) -> AppRoute | None:
        try:
            hit = self._router.dispatch(native)
        except Exception:  # noqa: BLE001 - the app's own matching fails on it, so nothing of it is reached
            return None
        return hit.route if hit is not None else None

    def _rule_name(self, spelling: Spelling) -> str:
        _, native = next(handed(spelling, self._router.interface))
        verdict = self._judge.judge(native)
        return verdict.rule.name if verdict.rule is not None else ""

    def _is_public(self, route: AppRoute, method: str) -> bool:
        return any(
            (not wanted or wanted == method) and (pattern.source == route.path or self._matches(pattern, route))
            for wanted, pattern in self._public
        )

    def _matches(self, pattern: Pattern, route: AppRoute) -> bool:
        """Paths of rules are those below the root path."""
        return any(pattern.broad.fullmatch(sample.removeprefix(self._router.root_path)) for sample in route.samples)


def methods_of(route: AppRoute) -> list[str]:
    """The methods to try: those of the route, or all that mean something where it has none of its own."""
    return sorted(route.methods if route.methods is not None else METHODS - {"CONNECT"})


def _changing(route: AppRoute, rules: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The methods that may change state. Where the app says none, POST stands for them if the handler's code speaks of
    it or its name is a sensitive one; what cannot be read may by all of them; a WebSocket if its name is sensitive."""
    if route.kind == "mount":
        return sorted(CHANGING) if route.methods is None else []
    if route.kind == "websocket":
        return ["GET"] if words_in(route) else []
    if route.methods is not None:
        return sorted(method for method in route.methods & rules.keys() if method not in SAFE)
    return ["POST"] if route.changes or words_in(route) else []


def _state(
    route: AppRoute, rules: Mapping[str, tuple[str, ...]], open_: Sequence[str], missing: Sequence[str]
) -> State:
    some = any(name for met in rules.values() for name in met)
    if missing:
        return "partly" if some else "unread" if route.kind == "mount" else "gap"
    if open_:
        return "public"
    if route.asks:
        return "covered"
    if not some:
        return "open"
    changing = _changing(route, rules)
    ruled = [method for method, met in rules.items() if route.methods is not None or any(met)]
    relevant = changing or [method for method in ruled if method not in ("OPTIONS", "TRACE")]
    return "covered" if all("" not in rules.get(method, ("",)) for method in relevant) else "partly"


def _request(route: AppRoute, method: str, sample: str) -> Spelling:
    return plain(method, sample, kind="websocket" if route.kind == "websocket" else "http", host=route.host)


def _own_requests(rule: Rule) -> Iterator[Spelling]:
    methods = sorted(covered_methods(rule.methods) or {"GET", "POST"})
    for value in _VALUES if "{" in rule.path else _VALUES[:1]:
        path = fill(rule.path, lambda _name, _kind, value=value: value)  # type: ignore[misc]
        for method in methods:
            yield plain(method, path)
        if "GET" in methods:
            yield plain("GET", path, kind="websocket")


def _allows(rule: Rule, method: str) -> bool:
    allowed = covered_methods(rule.methods)
    return allowed is None or method in allowed


def _accepted(entry: str) -> tuple[str, Pattern]:
    method, blank, path = entry.partition(" ")
    return (method, compile_pattern(path)) if blank else ("", compile_pattern(entry))
