"""The score of a request and the decision that follows from it: pure arithmetic, the same at every moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .policy import Rule
from .settings import RiskSettings

Verdict = Literal["allow", "challenge", "deny"]
Reason = Literal["route_policy", "elevated_risk_score", "below_threshold", "risk_denied", "app_required"]


class Assessment(NamedTuple):
    """``score`` is 0 to 100. ``signals`` are the points by name, the rule's base score first, as ``route``; ``failed``
    are the signals that could not tell."""

    score: int
    challenge_at: int
    deny_at: int
    signals: Mapping[str, int]
    failed: Sequence[str]
    verdict: Verdict
    reason: Reason

    def as_line(self) -> dict[str, Any]:
        """The ``risk`` object of an audit line; ``failed`` stands in it where something has."""
        line: dict[str, Any] = {
            "score": self.score,
            "challenge_at": self.challenge_at,
            "deny_at": self.deny_at,
            "signals": self.signals,
        }
        if self.failed:
            line["failed"] = self.failed
        return line


def assess(rule: Rule, points: Mapping[str, int], settings: RiskSettings, failed: Sequence[str] = ()) -> Assessment:
    """Add up the base score and the points of the signals that hold, cap at 100, and compare with the thresholds.

    ``deny_at`` counts for every rule. Below it, ``challenge`` decides: always, never, or by ``challenge_at``. The
    reason is ``elevated_risk_score`` only where the base score alone would not have asked.
    """
    score = min(100, rule.risk + sum(points.values()))
    verdict: Verdict
    reason: Reason
    if score >= settings.deny_at:
        verdict, reason = "deny", "risk_denied"
    elif rule.challenge == "always" or (rule.challenge == "auto" and rule.risk >= settings.challenge_at):
        verdict, reason = "challenge", "route_policy"
    elif rule.challenge == "auto" and score >= settings.challenge_at:
        verdict, reason = "challenge", "elevated_risk_score"
    else:
        verdict, reason = "allow", "below_threshold"
    return Assessment(
        score=score,
        challenge_at=settings.challenge_at,
        deny_at=settings.deny_at,
        signals={"route": rule.risk, **points},
        failed=failed,
        verdict=verdict,
        reason=reason,
    )


def demanded(assessment: Assessment) -> Assessment:
    """The same score where code of the app wants a proof whatever it is: only ``deny_at`` still decides."""
    if assessment.verdict == "deny":
        return assessment
    return assessment._replace(verdict="challenge", reason="app_required")
