"""What the gate would do with a request that nobody sent.

It reads the store and never writes. The policy and ``survey`` are the live ones; the steps below are those of
``gate.admission`` without their lines.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from ..encoding import format_duration, format_instant, parse_timestamp
from ..errors import AmbiguousRequest
from ..gate.codes import prepare
from ..gate.cookies import cookie_name
from ..gate.losses import is_missed
from ..gate.services import Services
from ..gate.visit import Visit, survey
from ..identity import Identity
from ..messages import Request
from ..policy import Match, Rule
from ..risk import Assessment
from ..state import Shown, Store
from .failure import CommandError
from .reasons import below, cause, takes_tokens, token_notes
from .screen import safe

_DEVICE = "explained"
_LIKE = 0.75
"""How much of two paths must be the same for one to be called near the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request to explain. ``at`` is Unix seconds, None for now."""

    method: str
    target: str
    user: str | None = None
    ip: str | None = None
    device: str = "new"
    at: float | None = None

    @classmethod
    def of(cls, method: str, path: str, *, user: str | None, ip: str | None, device: str, at: str | None) -> Asked:
        """From the command line. CommandError for a path, an address or a time that is none."""
        if not path.startswith("/"):
            raise CommandError("the path begins with a slash: stepup explain POST /accounts/42/transfer")
        try:
            address = str(ipaddress.ip_address(ip)) if ip else None
        except ValueError:
            raise CommandError(f"--ip: {safe(ip, 60)} is no IPv4 or IPv6 address") from None
        try:
            moment = parse_timestamp(at) if at else None
        except (ValueError, OverflowError):
            raise CommandError(f"--at: {safe(at, 60)} is no time; one is 2026-11-23T07:25:00Z") from None
        return cls(method=method.upper(), target=path, user=user, ip=address, device=device, at=moment)

    def request(self, headers: tuple[tuple[bytes, bytes], ...]) -> Request:
        """As a server would hand it over."""
        raw, _, query = self.target.encode("utf-8", "surrogateescape").partition(b"?")
        path = unquote_to_bytes(raw).decode("utf-8", "surrogateescape")
        peer = (self.ip, 0) if self.ip else None
        native: dict[str, Any] = {
            "type": "http",
            "method": self.method,
            "path": path,
            "raw_path": raw,
            "query_string": query,
        }
        native |= {"root_path": "", "headers": list(headers), "client": peer, "scheme": "https"}
        return Request(
            method=self.method, path=path, raw_path=raw, query=query, headers=headers, peer=self.ip, native=native
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """``decision``: pass (not sensitive), allow, challenge, login, deny, not_enrolled, locked, refuse. ``would``: what
    a rule in report mode would have done. ``reason`` as in the audit line. ``status`` of the answer, None where the
    app answers."""

    sensitive: bool
    decision: str
    why: str
    path: str = ""
    reading: str | None = None
    rule: Rule | None = None
    nearest: Rule | None = None
    assessment: Assessment | None = None
    visit: Visit | None = None
    would: str | None = None
    reason: str | None = None
    status: int | None = None
    notes: tuple[str, ...] = ()


class AsIf:
    """A store in which one device is known, or known as another is; everything else is the store's own."""

    def __init__(self, store: Store, device: str, stands_for: str | None) -> None:
        self._store = store
        self._device = device
        self._stands_for = stands_for

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def shown(self, user: str, device: str, grant_ids: Sequence[str]) -> Shown:
        if device != self._device or self._stands_for is None:
            found = await self._store.shown(user, device, grant_ids)
            return found._replace(known=found.known or device == self._device)
        return await self._store.shown(user, self._stands_for, grant_ids)


async def forecast(services: Services, asked: Asked) -> Forecast:
    """What would happen. Counts nothing and writes nothing."""
    services, request = _prepare(services, asked)
    prefix = services.settings.challenge.prefix
    if request.path == prefix or request.path.startswith(prefix + "/"):
        return Forecast(sensitive=False, decision="pass", why="the gate's own pages answer here", path=request.path)
    try:
        match = services.policy.match(request.method, request.path, request.root_path, request.raw_path)
        if match is None:
            return _passes(services, request)
        visit = await survey(services, request, match, record=False)
    except AmbiguousRequest as error:
        why = f"{error.detail} ({error.reason})"
        return Forecast(sensitive=True, decision="refuse", status=400, reason=error.reason, why=why, path=request.path)
    return await _decide(services, asked, visit, match)


def _prepare(services: Services, asked: Asked) -> tuple[Services, Request]:
    """The services as that person, at that time, in that browser, would meet them; and the request."""
    identity = Identity(user=asked.user) if asked.user else None
    services = replace(services, identify=lambda _request: identity)
    if asked.at is not None:
        moment = asked.at
        services = replace(services, clock=lambda: moment)
    if asked.device == "new":
        return services, asked.request(())
    stands_for = None if asked.device == "known" else asked.device
    if stands_for is not None and not stands_for.startswith("h:"):
        stands_for = services.keyring.digest("device", stands_for)
    store = AsIf(services.store, services.keyring.digest("device", _DEVICE), stands_for)
    name, token = cookie_name("stepup-device", services.settings.cookie), services.keyring.sign("device", _DEVICE)
    services = replace(services, store=cast("Store", store))
    return services, asked.request(((b"cookie", f"{name}={token}".encode("ascii")),))


def _passes(services: Services, request: Request) -> Forecast:
    nearest = find_nearest(services.policy.rules, request.method, request.path)
    why = "no rule matches: the request passes untouched, and no line is written"
    return Forecast(sensitive=False, decision="pass", why=why, nearest=nearest, path=request.path)


def find_nearest(rules: Sequence[Rule], method: str, path: str) -> Rule | None:
    """The rule whose path is most like this one, if any is; of equals the one that takes the method."""

    def likeness(rule: Rule) -> tuple[float, bool]:
        ratio = difflib.SequenceMatcher(None, path, _filled(rule.path, path), autojunk=False).ratio()
        return ratio, rule.methods is None or method in rule.methods

    best = max(rules, key=likeness, default=None)
    return best if best is not None and likeness(best)[0] >= _LIKE else None


def _filled(template: str, path: str) -> str:
    """The template, its parameters taken from the path's segments at the same place."""
    given = path.split("/")
    segments: list[str] = []
    for index, segment in enumerate(template.split("/")):
        if segment.endswith(":path}"):
            return "/".join([*segments, *given[index:]])
        segments.append(given[index] if "{" in segment and index < len(given) else segment)
    return "/".join(segments)


async def _decide(services: Services, asked: Asked, visit: Visit, match: Match) -> Forecast:
    """The steps of ``gate.admission.admit``, in its order."""
    rule, assessment = visit.rule, visit.assessment
    known: dict[str, Any] = {
        "sensitive": True,
        "rule": rule,
        "path": visit.request.path,
        "reading": match.path,
        "assessment": assessment,
        "visit": visit,
        "reason": assessment.reason,
        "notes": _notes(services, asked),
    }
    if rule.mode == "report":
        would = "challenge" if visit.person is None else assessment.verdict
        why = "report mode: let through, and the line says what would have happened"
        return Forecast(decision="allow", would=None if would == "allow" else would, why=why, **known)
    if visit.person is None:
        where = services.settings.identity.login_url
        browser = f"; a browser goes to {where} (303)" if where else ""
        return Forecast(decision="login", status=401, why=f"nobody is logged in{browser}", **known)
    if assessment.verdict == "deny":
        why = f"the score reaches {assessment.deny_at}: refused, whatever the proof"
        return Forecast(decision="deny", status=403, why=why, **known)
    if assessment.verdict == "allow":
        return Forecast(decision="allow", why=below(rule, assessment), **known)
    return await _demand(services, visit, visit.person.user, known)


async def _demand(services: Services, visit: Visit, user: str, known: dict[str, Any]) -> Forecast:
    rule, assessment = visit.rule, visit.assessment
    known["notes"] += token_notes(rule)
    if not await prepare(services, user, visit.now, allowed=rule.factors):
        if takes_tokens(rule):
            why = f"{cause(rule, assessment)}: a new access token, for this user has no authenticator here"
            return Forecast(decision="challenge", status=401, why=why, **known)
        return _unenrolled(services, visit, known, missed=await is_missed(services, user))
    failures, until = await services.store.failures(user)
    if visit.now < until:
        known["notes"] += (f"the account is locked until {format_instant(until)}, after {failures} failures: 429",)
    proof = f"a proof by {' or '.join(rule.factors)}, at most {format_duration(rule.max_age_s)} old"
    return Forecast(decision="challenge", status=401, why=f"{cause(rule, assessment)}: {proof}", **known)


def _unenrolled(services: Services, visit: Visit, known: dict[str, Any], *, missed: bool) -> Forecast:
    settings = services.settings.challenge
    if missed:
        why = "no authenticator, and one may have been lost with the store: stepup enroll, or stepup store accept"
        return Forecast(decision="not_enrolled", status=503, why=why, **known)
    if settings.enroll == "grace" and visit.now < settings.grace_until:
        why = f"no authenticator, and grace lasts until {format_instant(settings.grace_until)}"
        return Forecast(decision="allow", would="challenge", why=why, **known)
    way = "a browser goes to the enroll page (303)" if settings.enroll == "self" else "stepup enroll"
    why = f"a proof is needed, and this user has no authenticator: {way}"
    return Forecast(decision="not_enrolled", status=403, why=why, **known)


def _notes(services: Services, asked: Asked) -> tuple[str, ...]:
    notes = []
    names = [weighted.signal.name for weighted in services.signals]
    if asked.user is None and names:
        notes.append("signals are measured for a user only: --user")
    elif asked.ip is None and "new_network" in names:
        notes.append("no --ip, so the network counts as unknown")
    own = [spec.name for spec in services.settings.risk.signals if "call" in spec.params]
    if own and asked.user is not None:
        notes.append(f"your own signals ({', '.join(own)}) saw a request without a body")
    return tuple(notes)
