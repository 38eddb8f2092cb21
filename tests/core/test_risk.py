from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepup_mw.risk import assess
from stepup_mw.settings import RiskSettings

from .samples import make_rule

DEFAULT = RiskSettings()


@pytest.mark.parametrize(
    ("rule", "points", "score", "verdict", "reason"),
    [
        ({"risk": 0}, {}, 0, "allow", "below_threshold"),
        ({"risk": 49}, {}, 49, "allow", "below_threshold"),
        ({"risk": 50}, {}, 50, "challenge", "route_policy"),
        ({"risk": 50}, {"burst": 20}, 70, "challenge", "route_policy"),
        ({"risk": 49}, {"burst": 1}, 50, "challenge", "elevated_risk_score"),
        ({"risk": 89}, {}, 89, "challenge", "route_policy"),
        ({"risk": 90}, {}, 90, "deny", "risk_denied"),
        ({"risk": 60}, {"a": 20, "b": 10}, 90, "deny", "risk_denied"),
        ({"risk": 60}, {"a": 100, "b": 100}, 100, "deny", "risk_denied"),
        ({"risk": 0, "challenge": "always"}, {}, 0, "challenge", "route_policy"),
        ({"risk": 0, "challenge": "always"}, {"a": 60}, 60, "challenge", "route_policy"),
        ({"risk": 0, "challenge": "always"}, {"a": 95}, 95, "deny", "risk_denied"),
        ({"risk": 80, "challenge": "never"}, {}, 80, "allow", "below_threshold"),
        ({"risk": 80, "challenge": "never"}, {"a": 9}, 89, "allow", "below_threshold"),
        ({"risk": 80, "challenge": "never"}, {"a": 10}, 90, "deny", "risk_denied"),
    ],
)
def test_the_table(rule: dict[str, Any], points: dict[str, int], score: int, verdict: str, reason: str) -> None:
    found = assess(make_rule(**rule), points, DEFAULT)
    assert (found.score, found.verdict, found.reason) == (score, verdict, reason)
    assert found.as_line() == {
        "score": score,
        "challenge_at": 50,
        "deny_at": 90,
        "signals": {"route": rule["risk"], **points},
    }
    assert next(iter(found.signals)) == "route"


STRICTER = {"allow": 0, "challenge": 1, "deny": 2}


@given(
    st.integers(0, 100),
    st.sampled_from(["auto", "always", "never"]),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 100)),
    st.integers(0, 100),
    st.integers(1, 100),
    st.integers(1, 100),
)
def test_more_points_never_ask_for_less(
    risk: int, challenge: str, points: dict[str, int], more: int, low: int, high: int
) -> None:
    settings = RiskSettings(challenge_at=min(low, high), deny_at=max(low, high))
    rule = make_rule(risk=risk, challenge=challenge)
    before, after = assess(rule, points, settings), assess(rule, {**points, "more": more}, settings)
    assert 0 <= before.score <= after.score <= 100
    assert STRICTER[before.verdict] <= STRICTER[after.verdict]
    if after.reason == "elevated_risk_score":
        assert assess(rule, {}, settings).verdict == "allow"
