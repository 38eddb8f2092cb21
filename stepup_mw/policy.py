"""Route policies: which requests are sensitive, and what each demands. First match wins.

Owns the verdict on a method and a target: every reading is judged, and the strictest rule found is the one that holds.
It never answers for an identity, a score or a proof.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from . import paths
from .errors import AmbiguousRequest
from .methods import METHODS, covered_methods, method_readings
from .patterns import compile_pattern, fold
from .shapes import Shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ``[[routes]]`` entry.

    methods: upper case, None for every method. risk: base score, 0 to 100. max_age_s: how fresh a proof must be.
    version: SHA-256 (hex) over the rule's own fields; a grant earned under another version is void. acr, amr: what an
    access token must say to be a proof, as ``assertion.Demand`` has it; both empty: no token is one. show: fields of a
    body that the page names before it is sent. stream_max_age_s: how old a proof may grow under an answer.
    """

    name: str
    path: str
    version: str
    methods: frozenset[str] | None = None
    risk: int = 0
    challenge: Literal["auto", "always", "never"] = "auto"
    max_age_s: int = 300
    grant: Literal["request", "route", "service"] = "route"
    factors: tuple[str, ...] = ("totp", "recovery_code")
    mode: Literal["enforce", "report"] = "enforce"
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()
    stream_max_age_s: int | None = None
    show: tuple[str, ...] = ()


class Match(NamedTuple):
    """``rule`` holds for the request. ``path``: the reading that it matched. ``params``: as text, undecoded by type.
    A named tuple, as all that is made for every sensitive request."""

    rule: Rule
    path: str
    params: Mapping[str, str]


_Found = dict[int, tuple[str, re.Match[str]]]
"""The places of the rules met, each with the first reading that met it."""


class Policy:
    """An ordered list of rules, ready to be asked. Immutable; safe to share between threads.

    ``gate`` is for a caller on the hot path: ``gate(path) is None`` means that no rule and not the prefix can match a
    path, provided that ``paths.is_plain(path)`` holds, the root path is empty and the raw path has no ``%``.
    PatternError for a path that is none.
    """

    __slots__ = ("_allowed", "_by_name", "_index", "_own", "_patterns", "_words", "concerns", "gate", "prefix", "rules")

    def __init__(self, rules: Sequence[Rule], prefix: str = "/_stepup") -> None:
        self.rules = tuple(rules)
        self.prefix = prefix
        self._patterns = tuple(compile_pattern(rule.path) for rule in self.rules)
        own = compile_pattern(prefix.rstrip("/") + "/{rest:path}")
        self.gate: Callable[[str], object] = fold([*self._patterns, own]).fullmatch
        self._own = own.broad.fullmatch
        self._index = Shapes(self._patterns)
        self._allowed = tuple(covered_methods(rule.methods) for rule in self.rules)
        self._by_name = {rule.name: rule for rule in reversed(self.rules)}
        self._words = tuple({tuple(pattern.words()) for pattern in (*self._patterns, own)})
        self.concerns = paths.quick(self.gate, self._concerns)

    def rule(self, name: str) -> Rule | None:
        """The rule of that name, or None."""
        return self._by_name.get(name)

    def match(
        self,
        method: str,
        path: str,
        root_path: str = "",
        raw_path: bytes | None = None,
        override: Sequence[str] = (),
    ) -> Match | None:
        """The rule that holds, or None. The prefix is no rule: what lies under it is the gate's to tell.

        ``override``: values of headers such as X-HTTP-Method-Override. AmbiguousRequest where readings meet rules none
        of which is the strictest (``ambiguous_target``), where there are too many readings and some could meet a rule
        (``too_many_readings``, ``path_too_long``), and for a target that meets a rule or the prefix and is malformed
        (``path_too_long``, ``nul_in_path``, ``path_not_text``).
        """
        if not root_path and not override and method in METHODS and paths.is_short_plain(path, raw_path):
            first = self._first(path, method)
            if first is not None:
                return first
            found: _Found = {}
            self._judge_one(path, method, found)
        else:
            found = self._found(method_readings(method, override), path, root_path, raw_path)
        if not found:
            return None
        if len(found) == 1:
            ((number, (text, match)),) = found.items()
        else:
            rule = strictest([self.rules[number] for number in found])
            number, (text, match) = next(item for item in found.items() if self.rules[item[0]] is rule)
        return Match(rule=self.rules[number], path=text, params=match.groupdict(""))

    def _first(self, text: str, method: str) -> Match | None:
        """The first rule that may match, where it does exactly: most often nothing else is to be judged."""
        for number in self._index.find(text):
            allowed = self._allowed[number]
            if allowed is None or method in allowed:
                pattern = self._patterns[number]
                match = pattern.exact.match(text) if pattern.degree < 2 else None
                return Match(self.rules[number], text, match.groupdict("")) if match is not None else None
        return None

    def _found(self, methods: Sequence[str], path: str, root_path: str, raw_path: bytes | None) -> _Found:
        """What all readings meet; AmbiguousRequest where that is something, and the target is to be refused."""
        try:
            texts, found = self._find(methods, path, root_path, raw_path)
        except AmbiguousRequest:
            if self._may_touch(path, raw_path):
                raise
            return {}
        wrong = paths.refusal(path)
        if wrong is not None and (found or any(self._own(text) for text in texts)):
            raise AmbiguousRequest(*wrong)
        return found

    def _find(
        self, methods: Sequence[str], path: str, root_path: str, raw_path: bytes | None
    ) -> tuple[Sequence[str], _Found]:
        """The readings, and the rules they meet, each with the first reading that meets it.

        Below a root path the whole path is a reading too. Where routers agree on what is below, a rule for that must
        not be joined with whatever the whole path happens to meet (a last rule for every path, say): the other
        readings count only where that one meets nothing.
        """
        if root_path and paths.is_below(path, root_path):
            below = raw_path.removeprefix(root_path.encode()) if raw_path is not None else None
            found = self._judge(paths.readings(path[len(root_path) :] or "/", "", below), methods)
            if found:
                return (), found
        texts = paths.readings(path, root_path, raw_path)
        return texts, self._judge(texts, methods)

    def _judge(self, texts: Sequence[str], methods: Sequence[str]) -> _Found:
        found: _Found = {}
        for text in texts:
            if text[:1] == "/":  # any other has a reading that begins with one
                for method in methods:
                    self._judge_one(text, method, found)
        return found

    def _judge_one(self, text: str, method: str, found: _Found) -> None:
        """Add the first rule that matches broadly and the first that matches exactly; most often they are one."""
        broadly = False
        for number in self._index.find(text):
            allowed = self._allowed[number]
            if allowed is not None and method not in allowed:
                continue
            pattern = self._patterns[number]
            match = pattern.exact.match(text) if pattern.degree < 2 else pattern.exactly(text)
            if match is not None:
                found.setdefault(number, (text, match))
                return
            if not broadly and (match := pattern.broad.fullmatch(text)) is not None:
                found.setdefault(number, (text, match))
                broadly = True

    def _concerns(self, path: str, root_path: str, raw_path: bytes | None) -> bool:
        if root_path and paths.is_plain(path) and not paths.keeps_slash(raw_path) and paths.is_below(path, root_path):
            rest = path[len(root_path) :]
            if not rest.startswith(root_path):
                return self.gate(rest) is not None or self.gate(path) is not None
        try:
            return any(self.gate(text) for text in paths.readings(path, root_path, raw_path))
        except AmbiguousRequest:
            return self._may_touch(path, raw_path)

    def _may_touch(self, path: str, raw_path: bytes | None) -> bool:
        """The cheap test for a path with more readings than are judged: False only if no reading meets a rule.

        A reading that meets a rule holds each literal text of the rule. Steps that are not about characters only cut,
        at separators that no such text has; so all of the texts stand in one of the path's alphabets.
        """
        spellings = paths.alphabets(path, raw_path)
        if not spellings:
            return True
        return any(all(word in text for word in words) for text in spellings for words in self._words)


_FOREVER_S = 2**53
_ORDER = {"report": 0, "enforce": 1, "never": 0, "auto": 1, "always": 2, "service": 0, "route": 1, "request": 2}


def strictest(rules: Sequence[Rule]) -> Rule:
    """The rule at least as strict as all others in every respect, the first of equals.

    AmbiguousRequest (``ambiguous_target``) if there is none, so that no reading is judged by less than its own rule.
    """
    for rule in rules:
        if all(at_least_as_strict(rule, other) for other in rules):
            return rule
    names = ", ".join(sorted({rule.name for rule in rules}))
    raise AmbiguousRequest("ambiguous_target", f"the request can be read as {names}, and none is the strictest")


def at_least_as_strict(rule: Rule, other: Rule) -> bool:
    """Whether whatever satisfies ``rule`` satisfies ``other`` too."""
    return (
        _ORDER[rule.mode] >= _ORDER[other.mode]
        and _ORDER[rule.challenge] >= _ORDER[other.challenge]
        and _ORDER[rule.grant] >= _ORDER[other.grant]
        and rule.risk >= other.risk
        and rule.max_age_s <= other.max_age_s
        and set(rule.factors) <= set(other.factors)
        and _narrower(rule.acr, other.acr)
        and _narrower(rule.amr, other.amr)
        and (rule.stream_max_age_s or _FOREVER_S) <= (other.stream_max_age_s or _FOREVER_S)
    )


def _narrower(wanted: Sequence[str], other: Sequence[str]) -> bool:
    return not other or (bool(wanted) and set(wanted) <= set(other))  # an empty one is not looked at
