"""What an access token says of how and when its user authenticated, and whether that satisfies a rule (RFC 9470).

Pure. Whether the token itself is genuine has been judged before. A claim that is missing never satisfies anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .encoding import safe_text

DEFAULT_AMR = ("otp", "mfa")
"""Method references (RFC 8176) that count where a configuration names neither ``acr`` nor ``amr``."""

LEEWAY_S = 5
"""An authentication this much in the future is taken for now (clocks of two hosts); further ahead it is none."""

_SHOWN = 64

Lack = Literal["", "acr", "amr", "auth_time", "future", "stale"]
"""Why an assertion is no proof, "" where it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSettings:
    """Whose access tokens count. ``jwks``: a URL or an absolute path. ``keep_s``: how long keys are good while that
    place does not answer. What a token must say to be a proof stands in each rule; ``acr`` and ``amr`` are for one that
    no configuration has."""

    jwks: str
    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    token_types: tuple[str, ...]
    leeway_s: int
    keep_s: int
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """``acr``, ``amr`` and ``auth_time`` as the token has them, None or empty for none. ``token_id`` names the token
    itself, so that one sent again is known from another with the same claims."""

    acr: str | None = None
    amr: tuple[str, ...] = ()
    auth_time: float | None = None
    token_id: str = ""


class Demand(NamedTuple):
    """What a rule wants: one of ``acr``, one of ``amr`` (an empty one is not looked at; not both), and an
    authentication at most ``max_age_s`` old."""

    acr: Sequence[str]
    amr: Sequence[str]
    max_age_s: int


class Judged(NamedTuple):
    """``lack`` is "" for a proof. ``method``: how the user authenticated, for the line; ``proved_at``: when, and
    ``age_s``: how long ago, in whole seconds."""

    lack: Lack
    method: str | None = None
    proved_at: float | None = None
    age_s: int | None = None


def judge(assertion: Assertion, demand: Demand, now: float) -> Judged:
    """Whether an assertion is a proof now, or what it lacks first."""
    matched = [method for method in assertion.amr if method in demand.amr]
    if not (demand.acr or demand.amr) or (demand.acr and assertion.acr not in demand.acr):
        return Judged("acr")
    if demand.amr and not matched:
        return Judged("amr")
    if assertion.auth_time is None:
        return Judged("auth_time")
    age_s = now - assertion.auth_time
    if age_s < -LEEWAY_S:
        return Judged("future")
    if age_s >= demand.max_age_s:
        return Judged("stale", age_s=int(age_s))
    method = matched[0] if matched else " ".join(assertion.amr)
    return Judged("", safe_text(method, _SHOWN) or None, assertion.auth_time, max(0, int(age_s)))


def default_acr(factors: Sequence[str]) -> tuple[str, ...]:
    """The classes that are asked for where the configuration names none: ``urn:stepup:totp`` for the factor totp."""
    return tuple(f"urn:stepup:{factor}" for factor in factors)
