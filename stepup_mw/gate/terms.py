"""What holds for a proof that code of the app asks for: the rule it is judged by, and what the proof covers.

On a route with a rule it is that rule; elsewhere a rule made for the route, which no configuration has. What the demand
says otherwise (a shorter age, one use) is kept with the challenge, so that every process judges by the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import orjson

from ..demands import Demand
from ..encoding import safe_text
from ..messages import Request
from ..policy import Rule
from ..state import Challenge
from .services import Services

VERSION = "app"
"""The version of every rule made here; one of a configuration has 64 hex digits, so the two are never taken for one
another, however an operator names a rule."""

_PREFIX = "app:"
_MAX_NAME = 128


class Asked(NamedTuple):
    """``binding``: what the proof covers, "" for whatever the rule does. ``reached``: the request has its
    ``access/allowed`` line already. ``own``: the rule of the request itself, as it is without the demand; None where
    each demand makes it."""

    binding: str
    reached: bool
    own: Rule | None


def app_rule(request: Request, demand: Demand) -> Rule:
    """The rule of a route that no rule names: ``app:POST /transfers/{id}``, by the framework's own word for the route
    where it is known, else by the path."""
    return _made(f"{_PREFIX}{request.method.upper()} {demand.template or request.path}")


def _made(name: str) -> Rule:
    if len(name) > _MAX_NAME:
        name = f"{name[: _MAX_NAME - 33]}#{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    name = safe_text(name, 2 * _MAX_NAME)
    return Rule(name=name, path=name.partition(" ")[2], version=VERSION, challenge="always")


def rule_named(services: Services, name: str, version: str) -> Rule | None:
    """The rule of that name and version, of the configuration or made here; None where it is no more."""
    rule = services.policy.rule(name)
    if rule is not None and rule.version == version:
        return rule
    return _made(name) if version == VERSION and name.startswith(_PREFIX) else None


def rule_of(services: Services, challenge: Challenge) -> Rule | None:
    """The rule that a challenge is judged by; None where it is no more."""
    rule = rule_named(services, challenge.rule, challenge.rule_version)
    terms = orjson.loads(challenge.facts).get("terms")
    return replace(rule, **terms) if rule is not None and terms else rule


def is_asked(challenge: Challenge) -> bool:
    """Whether code of the app has asked for it."""
    return "terms" in orjson.loads(challenge.facts)


def is_made(rule: Rule) -> bool:
    """Whether the rule is one made here, whose name is for lines, not for people."""
    return rule.version == VERSION


def pack_terms(rule: Rule) -> dict[str, Any]:
    """What a demand may have changed of a rule, for a challenge to keep."""
    return {"max_age_s": rule.max_age_s, "grant": rule.grant}


def kept_age_s(services: Services, challenge: Challenge, rule: Rule) -> int:
    """How long a proof can be of use: as long as the rule itself takes it, also where a demand wanted a younger one."""
    whole = rule_named(services, challenge.rule, challenge.rule_version)
    return max(rule.max_age_s, whole.max_age_s if whole is not None else 0)


def bind_demand(
    services: Services, request: Request, demand: Demand, grant: Literal["request", "route", "service"]
) -> str:
    """The keyed digest of what a proof covers: of this request and the fields where one proof opens one request, else
    of the fields; "" where there are none. The body is not in it: the app has read it, and says what counts."""
    if grant != "request" and not demand.fields:
        return ""
    parts = [orjson.dumps(demand.fields or {}, option=orjson.OPT_SORT_KEYS)]
    if grant == "request":
        texts = (request.method.upper(), request.root_path, request.path)
        parts += [*(text.encode("utf-8", "surrogatepass") for text in texts), request.query]
    digest = hashlib.sha256(b"demand")
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return services.keyring.digest("binding", digest.hexdigest())
