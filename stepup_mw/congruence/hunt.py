"""The hunt for a spelling that reaches a covered handler without its rule.

What should happen is said by the plain spelling of the same thing: the handler that a request reaches and the
parameters it gets there have one plain path, and the rule for that is the rule for every other spelling.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..methods import METHODS
from ..policy import Policy, Rule
from ..routers import AppRoute, Hit, Router
from ..routers.texts import fill
from .judge import PASS, Judge, Verdict
from .operators import OPERATORS
from .spelling import Spelling, plain
from .wire import handed

MAX_OPERATORS = 4
_MAX_TARGET = 2048
_POOL = 4096


class Finding(NamedTuple):
    """``spelling`` reaches ``route`` past ``rule``. ``operators``: how it came about. ``server``: on which."""

    spelling: Spelling
    operators: tuple[str, ...]
    server: str
    route: AppRoute
    rule: Rule
    verdict: Verdict


@dataclass(kw_only=True)
class Tally:
    """What was tried. reached: spellings that reached a handler; held: those whose handler has a rule, which held.
    failed: the app's own matching raised."""

    tried: int = 0
    failed: int = 0
    reached: int = 0
    held: int = 0
    by_operator: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def seeds(router: Router, policy: Policy) -> list[Spelling]:
    """The plain requests to begin with: each route by each of its methods, and each rule's own path."""
    found: dict[Spelling, None] = {}
    for route in router.routes:
        for sample in route.samples[:1]:
            for method in sorted(route.methods or ("GET", "POST")):
                for root in dict.fromkeys(("", router.root_path)):
                    found[_plain(route, method, root + sample)] = None
    for rule in policy.rules:
        path = fill(rule.path, lambda _name, kind: _PLAIN.get(kind, "x7"))
        for method in sorted(rule.methods or ("GET", "POST")):
            found[plain(method, path)] = None
    return list(found)


def _plain(route: AppRoute, method: str, path: str) -> Spelling:
    return plain(method, path, kind="websocket" if route.kind == "websocket" else "http", host=route.host)


_PLAIN = {"int": "7", "float": "7.5", "uuid": "12345678-1234-5678-1234-567812345678", "path": "a/b.txt"}


class Hunt:
    """One router, one policy. ``most_findings``: the hunt ends there, for one hole gives very many."""

    def __init__(self, router: Router, policy: Policy, *, most_findings: int = 100) -> None:
        self.router = router
        self.judge = Judge(policy, router.root_path)
        self.tally = Tally()
        self._most = most_findings
        self._pool: list[tuple[Spelling, tuple[str, ...]]] = []
        self._wanted: dict[tuple[AppRoute, tuple[tuple[str, str], ...], str], Rule | None] = {}

    def run(self, rounds: int, seed: int, progress: Callable[[int], object] = lambda _: None) -> Tally:
        """Every operator on every seed, then ``rounds`` random mixtures of up to four. The same seed tries the same."""
        beginnings = seeds(self.router, self.judge.policy)
        for spelling, operators in _singles(beginnings):
            self.look(spelling, operators)
        if beginnings:
            choices = random.Random(seed)  # noqa: S311 - to try the same again, not to keep a secret
            for number in range(rounds):
                if len(self.tally.findings) >= self._most:
                    break
                self.look(*self._mixture(beginnings, choices))
                if number % 256 == 0:
                    progress(number)
        return self.tally

    def _mixture(self, beginnings: Sequence[Spelling], choices: random.Random) -> tuple[Spelling, tuple[str, ...]]:
        """Two to four operators, one after the other; half of the time on what has reached a handler already."""
        if self._pool and choices.random() < 0.5:
            spelling, names = choices.choice(self._pool)
        else:
            spelling, names = choices.choice(beginnings), ()
        for _ in range(choices.randint(max(1, 2 - len(names)), MAX_OPERATORS - len(names))):
            operator = choices.choice(OPERATORS)
            variants = list(operator.apply(spelling))
            if variants and len(spelling.target) < _MAX_TARGET:
                spelling = choices.choice(variants)
                names = (*names, operator.name)
        return spelling, names

    def look(self, spelling: Spelling, operators: tuple[str, ...] = ()) -> None:
        """Try one spelling, as every kind of server hands it on."""
        for server, native in handed(spelling, self.router.interface):
            self.tally.tried += 1
            hit = self._reached(native)
            if hit is None:
                continue
            self.tally.reached += 1
            wanted = self.wanted(hit, spelling.method)
            if wanted is None:
                continue
            verdict = self.judge.judge(native)
            if not verdict.covers(wanted):
                self._found(Finding(spelling, operators, server, hit.route, wanted, verdict))
                continue
            self.tally.held += 1
            if operators and len(self._pool) < _POOL and len(operators) < MAX_OPERATORS:
                self._pool.append((spelling, operators))
            for name in operators:
                self.tally.by_operator[name] = self.tally.by_operator.get(name, 0) + 1

    def _reached(self, native: dict[str, Any]) -> Hit | None:
        try:
            return self.router.dispatch(dict(native))
        except Exception:  # noqa: BLE001 - the app's own matching fails on it, before any handler
            self.tally.failed += 1
            return None

    def _found(self, finding: Finding) -> None:
        """What needs the same operators and more tells nothing new."""
        for one in self.tally.findings:
            if one.route is finding.route and one.rule is finding.rule and {*one.operators} <= {*finding.operators}:
                return
        self.tally.findings.append(finding)

    def wanted(self, hit: Hit, method: str) -> Rule | None:
        """The rule that the plain spelling of what was reached meets; None where it meets none."""
        key = (hit.route, tuple(hit.params.items()), method)
        if key not in self._wanted:
            if len(self._wanted) > 65_536:
                self._wanted.clear()
            self._wanted[key] = self._ask_plain(hit, method)
        return self._wanted[key]

    def _ask_plain(self, hit: Hit, method: str) -> Rule | None:
        upper = method.upper()
        methods: Sequence[str] = (upper,) if upper in METHODS else sorted(METHODS)
        if hit.route.methods is not None:
            methods = [one for one in methods if one in hit.route.methods] or sorted(hit.route.methods)
        path = fill(hit.route.path, lambda name, _kind: hit.params.get(name, "x7"))
        asked = [self._rule_at(hit, one, path) for one in methods]
        return next((rule for rule in asked if rule is not None), None)

    def _rule_at(self, hit: Hit, method: str, path: str) -> Rule | None:
        _, native = next(handed(_plain(hit.route, method, path), self.router.interface))
        same = self._reached(native)
        reaches = same is not None and same.route is hit.route
        verdict = self.judge.judge(native) if reaches else PASS
        if reaches and verdict.kind != "refused":
            return verdict.rule
        sample = hit.route.samples[0] if hit.route.samples else path
        return None if path == sample else self._rule_at(hit, method, sample)  # no plain path carries such a value


def _singles(beginnings: Sequence[Spelling]) -> Iterator[tuple[Spelling, tuple[str, ...]]]:
    for spelling in beginnings:
        yield spelling, ()
        for operator in OPERATORS:
            for other in operator.apply(spelling):
                yield other, (operator.name,)
