"""Letting a request through: the one place where a Pass is made, and the line is on stable storage before it is.

A request has exactly one ``access/allowed``. One that has it already, and goes on by a proof that code of the app has
asked for, has ``grant/accepted`` for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..events import Facts
from ..messages import Ending, Finish, Pass
from ..policy import Rule
from ..state import Grant
from .flows import handed_on
from .leases import Lease, lease_for
from .services import Services
from .visit import Visit, facts_of


class Admitted(NamedTuple):
    """By what a request was let through: kept with the Pass, for what the app may still ask. ``resumed``: by what it
    came to the app after its code, where it has gone on by something else since."""

    visit: Visit
    facts: Facts
    shown: Mapping[str, Any]
    proved_at: float | None
    resumed: Admitted | None = None

    @property
    def own(self) -> Rule | None:
        """The rule of the request itself, None where each demand makes it."""
        return self.visit.rule if self.visit.asked is None else self.visit.asked.own


async def accept(services: Services, visit: Visit, earlier: Admitted) -> Pass:
    """Let the app go on by the proof that the request came with."""
    facts = facts_of(services, visit, earlier.facts.flow_id)
    shown, proved_at = earlier.shown, earlier.proved_at
    if shown["basis"] == "grant" and proved_at is not None:
        shown = {**shown, "age_s": max(0, int(visit.now - proved_at))}
    return await let_through(services, visit, facts, shown, proved_at=proved_at)


async def let_through(
    services: Services,
    visit: Visit,
    facts: Facts,
    shown: Mapping[str, Any],
    *,
    would: str | None = None,
    detail: str | None = None,
    proved_at: float | None = None,
    before: tuple[bytes, ...] = (),
    grant: Grant | None = None,
) -> Pass:
    """Put the line on stable storage, with those that belong before it, then let the request through, once. ``grant``:
    by which it goes, where it is one."""
    lease = None
    if visit.rule.stream_max_age_s is not None:
        lease = await lease_for(services, visit, proved_at, grant)
    reason, reached = visit.assessment.reason, visit.asked is not None and visit.asked.reached
    if reached:
        line = _accepted(services, facts, shown, visit, would)
    else:
        line = services.journal.line(facts, "access", "allowed", reason=reason, proof=shown, would=would, detail=detail)
    await services.journal.write(*before, line)
    context: dict[str, Any] = {
        "request_id": facts.request_id,
        "flow_id": facts.flow_id,
        "user_id": visit.person.user if visit.person else None,
        "basis": shown["basis"],
        "proved_at": proved_at,
        "risk_score": visit.assessment.score,
    }
    if services.settings.flow is not None:
        token = handed_on(services, facts.flow_id, context["user_id"] or "", visit.now)
        if token is not None:
            context["flow_token"] = token
    finish = None if reached else _finish(services, facts, reason, shown, would, lease)
    return Pass(context, finish, Admitted(visit, facts, shown, proved_at), lease)


def _accepted(services: Services, facts: Facts, shown: Mapping[str, Any], visit: Visit, would: str | None) -> bytes:
    told = {name: shown[name] for name in ("basis", "method", "challenge_id", "age_s")}
    action = {name: value for name, value in (facts.action or {}).items() if name in ("route", "reason", "fields")}
    detail = {"flow_id": facts.flow_id, "request_id": facts.request_id, **action, **told}
    detail |= {"score": visit.assessment.score, "trigger_reason": visit.assessment.reason, "would": would}
    return services.journal.notice("grant", "accepted", user=facts.user_id, detail=detail)


def _finish(
    services: Services, facts: Facts, reason: str, shown: Mapping[str, Any], would: str | None, lease: Lease | None
) -> Finish:
    def finish(status: int | None, how: Ending, seconds: float) -> None:
        http = {"status": status, "duration_ms": round(seconds * 1000, 3)}
        detail = lease.ended if lease is not None and how == "aborted" else None
        services.journal.inform(
            services.journal.line(
                facts, "result", how, reason=reason, proof=shown, http=http, would=would, detail=detail
            )
        )

    return finish
