"""Rules that can never hold: an earlier rule, or the prefix, takes all their requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .methods import covered_methods
from .patterns import compile_pattern
from .policy import Rule
from .shapes import WILD, Shapes, covers


def find_unreachable(rules: Sequence[Rule]) -> list[tuple[Rule, Rule]]:
    """Each rule that can never hold, with the earlier rule that takes all its requests. Never a rule that can."""
    patterns = [compile_pattern(rule.path) for rule in rules]
    index = Shapes(patterns)
    found = []
    for number, rule in enumerate(rules):
        for earlier in index.find_segments(["", *map(_fixed, patterns[number].body)]):
            if earlier >= number:
                break
            if _takes(rules[earlier], rule) and covers(patterns[earlier], patterns[number]):
                found.append((rule, rules[earlier]))
                break
    return found


def _fixed(segment: Iterable[object]) -> str:
    texts = list(segment)
    return texts[0] if len(texts) == 1 and type(texts[0]) is str else WILD


def _takes(earlier: Rule, rule: Rule) -> bool:
    wide, narrow = covered_methods(earlier.methods), covered_methods(rule.methods)
    return wide is None or (narrow is not None and narrow <= wide)


def check_prefix(rules: Sequence[Rule], prefix: str) -> list[Rule]:
    """The rules whose path lies under the prefix, where the gate itself answers."""
    own = compile_pattern(prefix.rstrip("/") + "/{rest:path}")
    return [rule for rule in rules if covers(own, compile_pattern(rule.path.rstrip("/") + "/"))]
