"""Why a forecast is what it is, in words; and which access token would pass as it is, where tokens are read."""

from __future__ import annotations

from ..encoding import format_duration
from ..policy import Rule
from ..risk import Assessment


def takes_tokens(rule: Rule) -> bool:
    """Whether an access token could be the proof."""
    return bool(rule.acr or rule.amr) and rule.grant != "request"


def token_notes(rule: Rule) -> tuple[str, ...]:
    """What an access token would have to say, where tokens are read."""
    if not (rule.acr or rule.amr):
        return ()
    if rule.grant == "request":
        return ("no access token opens a rule that wants a proof for each request",)
    named = [f"{name} {' or '.join(values)}" for name, values in (("acr", rule.acr), ("amr", rule.amr)) if values]
    terms = " and ".join([*named, f"an auth_time at most {format_duration(rule.max_age_s)} ago"])
    return (
        f"an access token with {terms} passes as it is",
        "a provider may take acr_values for a wish and never raise acr: ask it with an essential claim or max_age",
    )


def cause(rule: Rule, assessment: Assessment) -> str:
    """Why a proof is asked for."""
    if assessment.reason == "elevated_risk_score":
        return f"the signals lift the score over {assessment.challenge_at}"
    if rule.challenge == "always":
        return "the rule always asks"
    return f"the rule's own risk reaches {assessment.challenge_at}"


def below(rule: Rule, assessment: Assessment) -> str:
    """Why none is."""
    if rule.challenge == "never":
        return f"the rule never asks, and the score is below {assessment.deny_at}"
    return f"the score is below {assessment.challenge_at}; an access line is written"
