"""``GET status``: would this request need a proof now, and how fresh is mine? Changes nothing, tells no score."""

from __future__ import annotations

from ..messages import Request, Response
from ..pages import say
from . import answers, duplicates, replies
from .asserted import judge_token
from .codes import is_enrolled
from .fields import read_fields
from .grants import freshness_s
from .services import Services
from .visit import Person, identify, survey


async def serve(services: Services, request: Request, rest: tuple[str, ...]) -> Response:
    """``GET status``, and nothing else."""
    if rest:
        return answers.not_found(services, request)
    if request.method.upper() not in ("GET", "HEAD"):
        return answers.not_allowed(services, request, ("GET", "HEAD"))
    return await status(services, request, await identify(services, request))


async def status(services: Services, request: Request, person: Person | None) -> Response:
    """Answers for ``?method=POST&path=/x``, with the path as the wrapped app sees it.

    ``proof_required`` is whether a request now would be asked; ``fresh_for_s`` how long the proof at hand lasts.
    """
    if person is None:
        return replies.login_required(services, request)
    asked = read_fields(request.query)
    method, path = asked.get("method", ["GET"])[0], asked.get("path", [""])[0]
    if not path.startswith("/") or len(path) > 2048 or len(method) > 32:
        return answers.refusal(services, request, "bad-request", 400, say("refused.preflight"))
    match = services.policy.match(method, path, "", None)
    if match is None:
        return answers.as_json(200, {"sensitive": False, "proof_required": False})
    imagined = request.altered(method=method.upper(), path=path, root_path="", raw_path=None, query=b"")
    visit = await survey(services, imagined, match, record=False)
    left_s = await freshness_s(services, visit, person) if match.rule.grant != "request" else 0
    judged = judge_token(visit, person)
    if judged is not None and not judged.lack and judged.age_s is not None:
        left_s = max(left_s, match.rule.max_age_s - judged.age_s)
    verdict = visit.assessment.verdict
    return answers.as_json(
        200,
        {
            "sensitive": True,
            "route": match.rule.name,
            "proof_required": match.rule.mode == "enforce" and verdict != "allow" and left_s == 0,
            "fresh_for_s": left_s,
            "max_age": match.rule.max_age_s,
            "grant": match.rule.grant,
            "factors": list(match.rule.factors),
            "enrolled": await is_enrolled(services, person.user),
            "recovery_codes_left": await services.store.recovery_left(person.user),
            "duplicate_codes": await duplicates.elsewhere(services, person, visit.now),
        },
    )
