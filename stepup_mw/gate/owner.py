"""Whose endpoint it is: what everything under the prefix that is a person's own asks first."""

from __future__ import annotations

from collections.abc import Sequence

from ..messages import Request, Response
from ..pages import say
from . import answers, replies
from .services import Services
from .visit import Person, identify

SEEN = ("GET", "HEAD")


async def meet(services: Services, request: Request, allowed: Sequence[str]) -> Person | Response:
    """The person who asks by one of the methods ``allowed``; else the refusal. What would change something, and comes
    from a page of another site, is nobody's wish."""
    method = request.method.upper()
    if method not in allowed:
        return answers.not_allowed(services, request, allowed)
    person = await identify(services, request)
    if person is None:
        return replies.login_required(services, request)
    if method not in SEEN and answers.is_cross_site(request):
        return answers.refusal(services, request, "bad-request", 400, say("refused.another_site"))
    return person
