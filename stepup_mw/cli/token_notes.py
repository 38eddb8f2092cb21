"""What ``explain`` says of access tokens: which would pass as they are, and which providers may never give one."""

from __future__ import annotations

from ..encoding import format_duration
from ..policy import Rule


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
