"""A token in a form: made while a proof is fresh, so that who fills the form in slowly is not asked again.

It is good for one sending, of one method and path, by the user, session and browser it was made for, for as long as
``challenge.form_max_age`` says, and only in the epoch of the grant it stands on: whatever voids that voids it. It never
opens a rule that wants a proof for each request.
"""

from __future__ import annotations

import logging
from typing import NamedTuple
from urllib.parse import parse_qsl

import orjson

from ..encoding import b64url_decode, b64url_encode
from ..errors import BodyTooLarge, SealError, StepUpError
from ..messages import Request
from ..policy import Rule
from . import grants
from .kept import SAFE
from .sent import MAX_FIELDS, multipart_fields
from .services import Services
from .visit import Person, Visit, identify, survey

FIELD = "_stepup"
"""The field of a form that carries a token."""

HEADER = b"step-up-token"

_MAX_TOKEN = 2048

_log = logging.getLogger("stepup_mw")


class FormToken(NamedTuple):
    """What is inside. ``grant_until``: when the grant it stands on would be gone anyhow; times in Unix seconds."""

    token_id: str
    rule: str
    rule_version: str
    method: str
    path: str
    grant_id: str
    grant_until: float
    epoch: int
    proof: str
    flow_id: str
    challenge_id: str
    proved_at: float
    expires_at: float


async def make(services: Services, request: Request, method: str, path: str) -> str:
    """A token for a form that is sent by ``method`` to ``path``, as the app sees its own paths; "" where there is no
    proof that would open it now."""
    person = await identify(services, request)
    match = services.policy.match(method.upper(), path, "", None)
    if person is None or match is None or match.rule.grant == "request" or method.upper() in SAFE:
        return ""
    imagined = request.altered(method=method.upper(), path=path, root_path="", raw_path=None, query=b"")
    visit = await survey(services, imagined, match, record=False)
    grant = await grants.freshest(services, visit, person)
    if grant is None or visit.rule.mode != "enforce":
        return ""
    token = FormToken(
        token_id=b64url_encode(services.random(12)),
        rule=match.rule.name,
        rule_version=match.rule.version,
        method=imagined.method,
        path=match.path,
        grant_id=grant.grant_id,
        grant_until=grant.expires_at,
        epoch=grant.epoch,
        proof=grant.method,
        flow_id=grant.flow_id,
        challenge_id=grant.challenge_id,
        proved_at=grant.proved_at,
        expires_at=visit.now + services.settings.challenge.form_max_age_s,
    )
    return b64url_encode(services.keyring.seal("form", orjson.dumps(list(token)), _context(services, person)))


async def take(services: Services, visit: Visit, person: Person) -> FormToken | None:
    """The token that a request carries, taken, where it opens this request; None for every other."""
    if visit.asked is not None or visit.rule.grant == "request" or visit.request.method.upper() in SAFE:
        return None
    text = await _carried(services, visit.request)
    token = _opened(services, person, text) if text else None
    if token is None or not _covers(token, visit.rule, visit):
        return None
    if await services.store.epoch(person.user) != token.epoch:
        return None
    if visit.now < token.grant_until and await services.store.grant(token.grant_id) is None:
        return None  # given up, one by one
    window_s = 2 * services.settings.challenge.form_max_age_s
    if await services.store.hits(revoked(token.grant_id), now=visit.now, window_s=window_s, record=False) > 1:
        return None
    first = await services.store.hits(f"form:{token.token_id}", now=visit.now, window_s=window_s, record=True) == 1
    return token if first else None


def revoked(grant_id: str) -> str:
    """Under which key it is noted that a grant was given up by itself: its row is gone, and its epoch lives on."""
    return f"form-of:{grant_id}"


def _covers(token: FormToken, rule: Rule, visit: Visit) -> bool:
    same = (token.rule, token.rule_version, token.path) == (rule.name, rule.version, visit.path)
    alive = token.proved_at - grants.CLOCK_LEEWAY_S <= visit.now < token.expires_at
    return same and alive and token.method == visit.request.method.upper() and token.proof in rule.factors


def _opened(services: Services, person: Person, text: str) -> FormToken | None:
    try:
        plain = services.keyring.unseal("form", b64url_decode(text), _context(services, person))
    except (SealError, ValueError):
        return None
    return FormToken(*orjson.loads(plain))


async def _carried(services: Services, request: Request) -> str:
    """The token of the header or of the form's field, "" for none. The body is read for nothing but a form."""
    header = request.header_text(HEADER)
    if header:
        return header[:_MAX_TOKEN]
    kind = request.header_text(b"content-type")
    form = kind.partition(";")[0].strip().lower()
    if form not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return ""
    try:
        body = await request.read_body(services.settings.challenge.resume_max_body)
        if FIELD.encode("ascii") not in body:
            return ""
        if form == "multipart/form-data":
            pairs = [(field.name, field.value) for field in multipart_fields(kind, body)]
        else:
            pairs = parse_qsl(body.decode("utf-8", "replace"), max_num_fields=MAX_FIELDS)
    except (BodyTooLarge, ValueError):
        return ""
    found = [value for name, value in pairs if name == FIELD]
    return found[0] if len(found) == 1 and len(found[0]) <= _MAX_TOKEN else ""


def _context(services: Services, person: Person) -> str:
    bound = (services.settings.service, person.user, person.session, person.device)
    return "\0".join(f"{len(part)}:{part}" for part in bound)


async def make_quietly(services: Services, request: Request, method: str, path: str) -> str:
    """As ``make``; "" where that cannot be said: the form is asked about when it is sent."""
    try:
        return await make(services, request, method, path)
    except StepUpError:
        return ""
    except Exception:  # noqa: BLE001 - the app's page is shown either way
        _log.exception("no token for a form: the gate itself failed")
        return ""
