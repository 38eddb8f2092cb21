"""Time-based one-time passwords (RFC 6238): which time step a code belongs to, and what that means.

pyotp does the arithmetic. Nothing here consumes a step: the store does, in one conditional write.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import Literal

import pyotp

from .errors import EnrollmentError

PERIOD_S = 30
"""The time step. OWASP ASVS 6.5.5 allows at most 30 s."""

DIGITS = 6

SECRET_BYTES = 20
"""160 bits, the length of an HMAC-SHA-1 output (RFC 4226 section 4, R6)."""

MIN_SECRET_BYTES = 16
"""128 bits: the least that RFC 4226 allows (section 4, R6)."""

MAX_DRIFT = 2
"""The most steps of drift ever learned from one authenticator, either way: a minute (RFC 6238 section 6)."""

FAR_STEPS = 20
"""How far outside the window a right code is still recognised, never accepted, to say that a clock is off."""

_CODE = re.compile(r"[0-9]{6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """fresh: right, of a step not taken yet. replayed: right, of a step at or before the last one taken. skewed:
    right, but ``drift`` steps away from now, outside the window. wrong: none of these."""

    kind: Literal["fresh", "replayed", "skewed", "wrong"]
    step: int = -1
    drift: int = 0


def parse_code(text: str) -> str | None:
    """Exactly six ASCII digits, or None. pyotp would fold full-width digits into the same code."""
    return text if _CODE.fullmatch(text) else None


def parse_secret(text: str) -> str:
    """A base32 secret as people write it (spaces, lower case, no padding) in canonical form. EnrollmentError."""
    secret = "".join(text.split()).replace("-", "").rstrip("=")
    secret = secret.upper() if secret.isascii() else "?"
    try:
        data = base64.b32decode(secret + "=" * (-len(secret) % 8))
    except (binascii.Error, ValueError):
        raise EnrollmentError("the secret is not base32 (letters A to Z and digits 2 to 7)") from None
    if len(data) < MIN_SECRET_BYTES:
        raise EnrollmentError(f"the secret has {len(data) * 8} bits; at least {MIN_SECRET_BYTES * 8} are needed")
    return secret


def provisioning_uri(secret: str, user: str, service: str) -> str:
    """``otpauth://totp/bank:alice?secret=…&issuer=bank``, for a QR code (Google Authenticator's key URI format)."""
    return pyotp.TOTP(secret).provisioning_uri(name=user, issuer_name=service)


def format_code(secret: str, step: int, *, digits: int = DIGITS) -> str:
    """The code of a base32 secret for a time step (RFC 6238 section 4, RFC 4226 section 5.3), HMAC-SHA-1."""
    return pyotp.TOTP(secret, digits=digits).generate_otp(step)


def time_step(now: float) -> int:
    """The time step that Unix second ``now`` lies in; 64 bit and more (RFC 6238 section 4.2)."""
    return int(now) // PERIOD_S


def judge(secret: str, code: str, *, now: float, window: int, last_step: int, drift: int = 0) -> Judgement:
    """What a well-formed code means at ``now``, ``window`` steps either way of the server's own clock, and of the
    authenticator's as far as its ``drift`` (steps, from ``learn_drift``) is known.

    Every candidate is compared in constant time; there are at most ``2 * window + 1 + MAX_DRIFT`` of them that could
    be taken. A code of a step at or before ``last_step`` is never fresh, also when the clock has stepped back
    (RFC 6238 section 5.2).
    """
    generate = pyotp.TOTP(secret, digits=DIGITS).generate_otp
    current = time_step(now)
    near = [step for step in taken_steps(now, window=window, drift=drift) if _same(generate(step), code)]
    if near:
        unused = [step for step in near if step > last_step]
        if unused:  # two steps can have one code: the later is taken, so that it opens nothing a second time
            return Judgement(kind="fresh", step=unused[-1], drift=unused[-1] - current)
        return Judgement(kind="replayed", step=near[-1], drift=near[-1] - current)
    for step in range(max(0, current - FAR_STEPS), current + FAR_STEPS + 1):
        if _same(generate(step), code):
            kind: Literal["replayed", "skewed"] = "replayed" if step <= last_step else "skewed"
            return Judgement(kind=kind, step=step, drift=step - current)
    return Judgement(kind="wrong")


def taken_steps(now: float, *, window: int, drift: int = 0) -> range:
    """The steps whose codes can be taken at ``now``: the window around the server's step and the one around the
    authenticator's, and what lies between. With ``window = 0`` nothing is learned and nothing but now is taken."""
    current, bounded = time_step(now), _bounded(drift) if window else 0
    return range(max(0, current + min(0, bounded) - window), current + max(0, bounded) + window + 1)


def learn_drift(drift: int, seen: int) -> int:
    """The drift to keep for an authenticator after a right code ``seen`` steps from the server's clock: one step
    nearer to what was seen, and never beyond MAX_DRIFT. Both in steps; learned from accepted codes alone."""
    known = _bounded(drift)
    return _bounded(known + max(-1, min(1, seen - known)))


def _bounded(drift: int) -> int:
    return max(-MAX_DRIFT, min(MAX_DRIFT, drift))


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected, given)
