"""Route policies: which requests are sensitive, and what each demands. First match wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ``[[routes]]`` entry.

    methods: upper case, None for every method. risk: base score, 0 to 100. max_age_s: how fresh a proof must be.
    version: SHA-256 (hex) over the rule's own fields; a grant earned under another version is void.
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
