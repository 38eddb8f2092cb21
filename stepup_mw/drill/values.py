"""What a drill is told in: a scenario as it is described, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..errors import StepUpError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Verdict = Literal["held", "broke", "not_run"]

SHOWN = 20
"""Findings of one scenario that are kept; the others are counted."""


class NotPossible(StepUpError):
    """This machine, or this configuration, does not let a scenario be run."""

    code = "not_possible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """``title`` is what is done, ``promise`` what must hold whatever comes of it."""

    name: str
    family: str
    title: str
    promise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """In which case it did not hold, and why."""

    case: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """``tried`` cases, of which ``broken`` did not hold; ``findings`` are the first of those. ``said`` is a line for a
    person: what was there to see, or why it was not run."""

    scenario: Scenario
    verdict: Verdict
    tried: int = 0
    broken: int = 0
    said: str = ""
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0


class Score:
    """Counts the cases of one scenario while it runs. ``advance`` is told how many are done, and of how many."""

    def __init__(self, advance: Callable[[int, int], None] | None = None) -> None:
        self._advance = advance
        self._expected = 0
        self.tried = 0
        self.broken = 0
        self.said = ""
        self.findings: list[Finding] = []

    def expect(self, cases: int) -> None:
        """So many cases are still to come."""
        self._expected = self.tried + cases

    def case(self, name: str, why: str = "") -> None:
        """One case is done; ``why`` it did not hold, "" if it did."""
        self.tried += 1
        if why:
            self.broken += 1
            if len(self.findings) < SHOWN:
                self.findings.append(Finding(case=name, why=why))
        if self._advance is not None:
            self._advance(self.tried, max(self.tried, self._expected))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A whole drill: what it was about, where it ran, and its results in order. Times are Unix seconds."""

    drill_id: str
    service: str
    config: str
    begun: float
    ended: float
    seed: int
    place: Sequence[tuple[str, str]]
    results: Sequence[Result]

    @property
    def verdict(self) -> Verdict:
        """Held only if something was run, and all of that held."""
        if any(result.verdict == "broke" for result in self.results):
            return "broke"
        return "held" if any(result.verdict == "held" for result in self.results) else "not_run"

    def count(self, verdict: Verdict) -> int:
        return sum(result.verdict == verdict for result in self.results)

    @property
    def cases(self) -> int:
        return sum(result.tried for result in self.results)

    @property
    def broken(self) -> int:
        return sum(max(result.broken, result.verdict == "broke") for result in self.results)
