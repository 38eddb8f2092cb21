"""The page's form goes to where the kept request was going, so that the app's answer stands under its own address.

A relative link, a form that is sent to "" and a reload then mean what they do without a gate. A request that names a
challenge in this way is the gate's to answer, whatever else would open the rule: the app never sees it as it is.
"""

from __future__ import annotations

from ..errors import BodyTooLarge
from ..messages import Request
from ..paths import is_short_plain
from ..policy import Rule
from ..state import Challenge
from . import answers
from .fields import read_fields
from .replay import Message
from .services import Services
from .terms import is_asked

FIELD = "_stepup_challenge"

MARK = FIELD.encode("ascii") + b"="
"""What a query says where no rule holds for the path: by it a door knows that the gate has to be asked."""

MAX_FORM = 16 * 1024
"""Bytes of such a form."""


def address(services: Services, challenge: Challenge, rule: Rule, message: Message) -> str:
    """Where the form goes, as a path on this origin; "" where a POST there would not meet the same rule for sure. Where
    code of the app has asked, any rule will do, and where there is none the query names the challenge, too."""
    if not is_short_plain(message.path, message.raw_path):
        return ""
    match = services.policy.match("POST", message.path, message.root_path, message.raw_path)
    asked, query = is_asked(challenge) and message.method == "POST", message.query
    if asked and match is None:
        query = b"&".join(part for part in (query, MARK + challenge.challenge_id.encode("ascii")) if part)
    elif not asked and (match is None or match.rule is not rule):
        return ""
    whole = message.path if message.path.startswith(message.root_path) else message.root_path + message.path
    return answers.local_target(whole.encode("utf-8", "surrogateescape"), query)


async def challenge_named(request: Request) -> str:
    """The challenge that a form of this origin names, "" for every other request. Nothing but a form is read."""
    if request.method.upper() != "POST" or not answers.is_form(request) or not answers.is_same_origin(request):
        return ""
    try:
        body = await request.read_body(MAX_FORM)
    except BodyTooLarge:
        return ""
    named = read_fields(body).get(FIELD, []) if FIELD.encode("ascii") in body else []
    return named[0] if len(named) == 1 else ""
