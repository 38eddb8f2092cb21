"""The one door: every request of every framework is asked about here, ``await gate.handle(request)``.

Doubt never leads to access: what raises, times out or cannot be written ends in a refusal.
"""

from __future__ import annotations

import logging

from ..demands import Demand
from ..encoding import safe_text
from ..errors import AmbiguousRequest, BadDemand, StoreUnavailable, TokenRefused, TrailUnavailable, Unavailable
from ..events import Facts
from ..messages import UNTOUCHED, Pass, Request, Response
from ..pages import say
from ..policy import Rule
from . import admission, answers, asked, challenges, demanded, endpoints, form_tokens, in_place, losses, unended
from .matching import find_rule, own_place
from .refreshing import refresh
from .services import Services
from .visit import Person, action_of, approach, identify, shown_user, trace_of
from .whereabouts import locate, origin_of

__all__ = ["Gate", "Services"]

_log = logging.getLogger("stepup_mw")


class Gate:
    """``services`` may be swapped whole at any time (a reload); one request works with one set throughout."""

    def __init__(self, services: Services) -> None:
        self.services = services

    async def handle(self, request: Request) -> Pass | Response:
        """Decide. A Pass lets the request through to the app, a Response answers in its place. Never raises, but
        for cancellation."""
        services = self.services
        try:
            return await _decide(services, request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end in a refusal
            return await _doubt(services, request, error)

    async def demand(self, request: Request, demand: Demand, before: Pass) -> Pass | Response:
        """Decide what code of the app asks for in a request that came through here as ``before``. A Pass lets it go
        on, a Response answers in its place. Raises nothing but BadDemand, and cancellation."""
        services = self.services
        try:
            return await demanded.answer(services, request, demand, before)
        except BadDemand:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            return await _doubt(services, request, error)

    async def form_token(self, request: Request, method: str, path: str) -> str:
        """A token for a form of the app's that is sent later; "" where no fresh proof would open it now."""
        return await form_tokens.make_quietly(self.services, request, method, path)

    async def sweep(self) -> int:
        """Give challenges that nobody came back to their outcome; how many. Unavailable if that cannot be done.
        Takes the secret keys and the data files as they are now, too, and puts on record what the store has lost."""
        keyring, journal = self.services.keyring, self.services.journal
        if keyring.refresh():
            journal.post(journal.notice("config", "keys_changed", detail={"keys": list(keyring.key_ids)}))
        await losses.tell(self.services)
        await refresh(self.services)
        count = await challenges.sweep(self.services)
        return count + await unended.end_what_is_gone(self.services)


async def _doubt(services: Services, request: Request, doubt: Exception) -> Response:
    """The refusal that every doubt ends in."""
    try:
        raise doubt
    except AmbiguousRequest as error:
        status, detail = 400, error.reason
        reply = answers.refusal(services, request, "bad-request", 400, say("refused.target", why=error.detail))
    except TokenRefused as error:
        status, detail = 401, f"token_{error.reason}"
        reply = answers.token_refused(services, request, error)
    except Unavailable as error:
        _log.error("refused, %s: %s", error.code, error)
        status, detail = 503, error.code
        reply = answers.unavailable(services, request)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must end in a refusal
        _log.exception("refused, the gate itself failed")
        status, detail = 503, f"error:{type(error).__name__}"
        reply = answers.unavailable(services, request)
    person = await _met(services, request, doubt)
    return await _refused(services, request, reply, person, status, detail)


async def _decide(services: Services, request: Request) -> Pass | Response:
    place = own_place(request, services.settings.challenge.prefix)
    if place is not None:
        return await endpoints.serve(services, request, place)
    match = find_rule(services.policy, request)
    named = await in_place.challenge_named(request) if match is not None or in_place.MARK in request.query else ""
    if named:
        return await asked.serve(services, request, (named, "verify"))
    if match is None:
        return UNTOUCHED
    services.journal.check_window()
    return await admission.admit(services, await approach(services, request, match))


async def _met(services: Services, request: Request, doubt: Exception) -> Person | None:
    """Who asked, for the line: the store or the trail failed, and not what says who it is."""
    if not isinstance(doubt, StoreUnavailable | TrailUnavailable):
        return None
    try:
        return await identify(services, request)
    except Exception as error:  # noqa: BLE001 - a refusal is on record without a name too
        _log.warning("a refusal is on record without its user: %s", error)
        return None


async def _refused(
    services: Services, request: Request, reply: Response, person: Person | None, status: int, detail: str
) -> Response:
    """Put the refusal on record if that can be done; the answer is a refusal either way."""
    try:
        now, rule = services.clock(), _rule_met(services, request)
        facts = Facts(
            user_id=shown_user(services, person.user) if person else None,
            session_id=(person.session or None) if person else None,
            flow_id=services.new_id(now),
            request_id=services.new_id(now),
            service=services.settings.service,
            action=action_of(rule, request),
            origin=origin_of(services, request, locate(services, request), "", known=False),
            risk=None,
            policy={"version": services.settings.policy_version, "mode": rule.mode if rule else None},
            trace=trace_of(request),
        )
        line = services.journal.line(
            facts,
            "access",
            "refused",
            reason="route_policy",
            detail=safe_text(detail, 64),
            http={"status": status, "duration_ms": None},
        )
        await services.journal.refuse(line)
    except Exception as error:  # noqa: BLE001 - the answer is a refusal, whatever stands in the way of its line
        _log.error("a refusal is not on record: %s", error)
        if status == 400:
            return answers.unavailable(services, request)
    return reply


def _rule_met(services: Services, request: Request) -> Rule | None:
    """The rule that holds for a request that was refused; None at the gate's own pages, and where its target is what
    cannot be judged."""
    if own_place(request, services.settings.challenge.prefix) is not None:
        return None
    try:
        match = find_rule(services.policy, request)
    except AmbiguousRequest:
        return None
    return match.rule if match is not None else None
