"""The words in which code of the app asks for a proof, and what it gets: a demand, the evidence, or ``StepUpRequired``.

A demand is bounded and plain by the time it is one: the reason and the fields stand in audit lines and on a page.
"""

from __future__ import annotations

import datetime
import decimal
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from .encoding import parse_duration, safe_text
from .errors import BadDemand
from .messages import Response

KEY = "stepup_mw.inside"
"""Where a door leaves, in the ASGI scope or the WSGI environ, what ``require`` asks through."""

FLOW_HEADER = "Step-Up-Flow"
"""What a service says of a flow to those behind it; see ``flow_token``."""

MAX_REASON = 200
MAX_FIELDS = 8
MAX_NAME = 32
MAX_VALUE = 128
MAX_AGE_S = 30 * 86_400

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SECRET = frozenset(
    {"password", "passwd", "passphrase", "passcode", "secret", "token", "otp", "totp", "pin", "cvv", "cvc"}
    | {"authorization", "cookie", "credential", "credentials"}
)

Field = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """``points`` are added to the score of the request. ``max_age_s``: how old a proof may be; None for the rule's
    own age. ``fields``: what the app tells of the action. ``rule``: the name of a rule to judge by, None for the rule
    of the request. ``grant``: what one proof opens, None for what the rule says. ``template``: the route of the
    framework, "" where it is not known."""

    reason: str
    points: int = 0
    max_age_s: int | None = None
    fields: Mapping[str, Field] | None = None
    rule: str | None = None
    grant: Literal["request", "route"] | None = None
    template: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The proof that was good enough, under the names of ``scope["stepup"]``. ``proved_at``: Unix seconds; None where
    none was needed (``basis`` is ``below_threshold`` or ``report_mode``). ``flow_token``: for the services
    behind, where ``flow.send`` says so; ``stepup_mw.flow_headers`` has it as a header."""

    request_id: str
    flow_id: str
    user_id: str | None
    basis: str
    proved_at: float | None
    risk_score: int
    flow_token: str | None = None


class StepUpRequired(BaseException):
    """The request cannot go on without a proof. Raised by ``require``, answered by the middleware.

    Like ``asyncio.CancelledError`` no ``Exception``: neither a handler of the framework for whatever went wrong nor an
    ``except Exception`` around the call may take it for an error of the app. Let it pass; clean up in ``finally``.
    Whoever catches it all the same changes nothing: the answer to the request is the gate's. ``answered``: it has
    been given.
    """

    code: ClassVar[str] = "step_up_required"

    def __init__(self, response: Response, reason: str) -> None:
        self.response = response
        self.reason = reason
        self.answered = False
        super().__init__(reason)


def required_in(error: BaseException) -> StepUpRequired | None:
    """The StepUpRequired that ``error`` is, or that is in a group. Beside it there is what a task group made of the
    end of one task: Starlette's BaseHTTPMiddleware adds that there was no response."""
    if isinstance(error, StepUpRequired):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := required_in(inner)) is not None), None)
    return None


def make_demand(
    *,
    reason: str,
    points: int = 0,
    max_age: int | str | None = None,
    action: Mapping[str, Any] | None = None,
    rule: str | None = None,
    grant: Literal["request", "route"] | None = None,
) -> Demand:
    """Check what a program asks for. BadDemand says what was found and what is allowed."""
    if not isinstance(reason, str) or not reason.strip():
        raise BadDemand(f"reason: found {reason!r}; allowed is a sentence for the person who is asked")
    if not isinstance(points, int) or isinstance(points, bool) or not 0 <= points <= 100:
        raise BadDemand(f"points: found {points!r}; allowed is a whole number from 0 to 100")
    if grant not in (None, "request", "route"):
        raise BadDemand(f'grant: found {grant!r}; allowed are "request" and "route"')
    return Demand(
        reason=safe_text(reason.strip(), MAX_REASON),
        points=points,
        max_age_s=_age(max_age),
        fields=_fields(action) if action else None,
        rule=rule,
        grant=grant,
    )


def _age(max_age: int | str | None) -> int | None:
    if max_age is None:
        return None
    try:
        seconds = parse_duration(max_age) if isinstance(max_age, str) else max_age
    except ValueError as error:
        raise BadDemand(f"max_age: found {max_age!r}; {error}") from None
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= MAX_AGE_S:
        raise BadDemand(f'max_age: found {max_age!r}; allowed are whole seconds or "5m", from 1 s to 30 d')
    return seconds


def _fields(action: Mapping[str, Any]) -> dict[str, Field]:
    if not isinstance(action, Mapping) or len(action) > MAX_FIELDS:
        raise BadDemand(f'action: allowed is a mapping of at most {MAX_FIELDS} fields, such as {{"amount": 20000}}')
    return {_field_name(name): _field(name, value) for name, value in action.items()}


def _field_name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise BadDemand(f"action: found the name {str(name)[:40]!r}; allowed are up to {MAX_NAME} letters and digits")
    if _SECRET & set(re.split(r"[_.-]", name.lower())):
        raise BadDemand(f"action: {name} is the name of a secret, and no secret may stand in a line or on a page")
    return name


def _field(name: str, value: Any) -> Field:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str | int | float | decimal.Decimal | datetime.date | datetime.time | uuid.UUID):
        return safe_text(str(value), MAX_VALUE)
    raise BadDemand(f"action: {name} is a {type(value).__name__}; allowed are texts, numbers, dates, true, false, None")
