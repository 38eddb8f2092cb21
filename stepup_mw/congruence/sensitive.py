"""Which routes look sensitive, and why: the words of their paths and handlers, and the methods they answer.

A guess to begin with, for ``stepup init --app``; people decide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import PatternError
from ..patterns import Pattern, compile_pattern
from ..policy import Rule
from ..routers import AppRoute
from ..shadows import find_unreachable
from ..shapes import covers

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""What may be asked of an app that nobody can read."""

_WORDS: dict[str, tuple[str, ...]] = {
    "moves money": ("transfer", "pay", "payment", "payout", "withdraw", "withdrawal", "refund", "invoice", "wire"),
    "changes credentials": ("password", "passwd", "passphrase", "2fa", "mfa", "otp", "totp", "factor", "recovery"),
    "gives out keys": ("key", "keys", "apikey", "token", "tokens", "secret", "secrets", "credential", "credentials"),
    "destroys": ("delete", "remove", "destroy", "purge", "wipe", "drop", "erase", "close", "cancel", "terminate"),
    "takes data out": ("export", "download", "dump", "backup", "archive"),
    "administers": ("admin", "role", "roles", "permission", "permissions", "grant", "impersonate", "sudo", "owner"),
    "changes who somebody is": ("email", "phone", "address", "iban", "beneficiary", "payee"),
    "changes the service": ("deploy", "publish", "settings", "config", "webhook-url", "domain", "billing"),
}
_REASONS = {word: reason for reason, words in _WORDS.items() for word in words}
_BEFORE_LOGIN = {
    *("login", "logout", "signin", "signout", "signup", "register", "registration", "oauth", "callback", "webhook"),
    *("webhooks", "csrf", "health", "healthz", "ping", "metrics", "search", "refresh", "forgot", "reset", "saml"),
}
"""Routes that nobody is signed in at, or that machines call: a code cannot be asked for there."""

_READ_WORDS = {"takes data out", "gives out keys", "administers"}
"""Reasons that hold for a route that only reads, too."""

_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A rule for a route: ``why`` in words. ``public``: it needs none, and why."""

    route: AppRoute
    name: str
    methods: tuple[str, ...]
    risk: int
    why: str
    public: bool = False


def words_in(route: AppRoute) -> list[str]:
    """The sensitive words of a route's path and of its handler's name, in that order."""
    return list(dict.fromkeys(word for word in _all_words(route) if word in _REASONS))


def _all_words(route: AppRoute) -> list[str]:
    fixed = re.sub(r"\{[^}]*\}", "/", route.path)
    text = f"{fixed}/{route.handler.rpartition('.')[2]}"
    whole = [re.sub(r"[^a-z0-9]", "", part.lower()) for part in text.split("/")]  # sign-in, sign_in: signin
    return [word for word in [*(word.lower() for word in _SPLIT.split(text)), *whole] if word]


def suggest(routes: tuple[AppRoute, ...]) -> list[Suggestion]:
    """A suggestion for each route that looks sensitive, one for those of one path, a special path before a general."""
    found: dict[tuple[str, bool], Suggestion] = {}
    for route in routes:
        made = _suggest(route)
        if made is None:
            continue
        key = (route.path.rstrip("/"), made.public)
        earlier = found.get(key)
        if earlier is not None:
            methods = tuple(sorted({*earlier.methods, *made.methods})) if earlier.methods and made.methods else ()
            stronger = max(earlier, made, key=lambda one: one.risk)
            made = Suggestion(
                route=earlier.route, name=earlier.name, methods=methods, risk=stronger.risk, why=stronger.why,
                public=made.public,
            )  # fmt: skip
        found[key] = made
    return _named(_ordered(list(found.values())))


def _suggest(route: AppRoute) -> Suggestion | None:
    if route.asks or (route.kind == "mount" and route.methods is not None):
        return None
    words = words_in(route)
    if route.kind == "mount":
        why, changing = "what stands there cannot be read", tuple(sorted(CHANGING))
        return Suggestion(route=route, name=_slug(route), methods=changing, risk=60 if words else 30, why=why)
    reasons = list(dict.fromkeys(_REASONS[word] for word in words))
    if not _is_sensitive(route, words, reasons):
        return None
    changing = _changing(route)
    methods = changing or tuple(sorted((route.methods or frozenset()) - {"HEAD", "OPTIONS"}))
    name = _slug(route)
    before = sorted(_BEFORE_LOGIN & set(_all_words(route)))
    if before and not words:
        why = f"{', '.join(before)}: nobody may be signed in yet, or a machine calls"
        return Suggestion(route=route, name=name, methods=methods, risk=0, why=why, public=True)
    why = "; ".join(filter(None, (_said(words, reasons), _said_methods(route, changing))))
    return Suggestion(route=route, name=name, methods=methods, risk=60 if words or "DELETE" in methods else 30, why=why)


def _is_sensitive(route: AppRoute, words: list[str], reasons: list[str]) -> bool:
    if route.kind == "websocket":
        return bool(words)
    if route.methods is None:
        return bool(words) or route.changes
    return bool(_changing(route)) or bool(set(reasons) & _READ_WORDS)


def _changing(route: AppRoute) -> tuple[str, ...]:
    """The methods that change state; none too where the app says no methods at all."""
    return tuple(sorted((route.methods or frozenset()) - SAFE))


def _said(words: list[str], reasons: list[str]) -> str:
    return f"{', '.join(reasons)} ({', '.join(words)})" if words else ""


def _said_methods(route: AppRoute, changing: tuple[str, ...]) -> str:
    if route.kind == "websocket":
        return "a WebSocket"
    if route.methods is None:
        return "answers every method"
    return f"{', '.join(changing)} change{'s' if len(changing) == 1 else ''} state" if changing else "only reads"


def _slug(route: AppRoute) -> str:
    """``delete-user`` from the handler's name, or from the path where that says nothing."""
    last = route.handler.rpartition(".")[2].strip("<>_")
    own = [word.lower() for word in _SPLIT.split(last) if word]
    fixed = [word.lower() for word in _SPLIT.split(re.sub(r"\{[^}]*\}", "/", route.path)) if word]
    telling = len("".join(own)) > 2 and own[0] not in ("lambda", "view", "inner", "wrapper", "run", "index")
    words = own if telling else fixed or own
    return "-".join(words)[:48] or "root"


def _named(found: list[Suggestion]) -> list[Suggestion]:
    """Each name once."""
    seen: dict[str, int] = {}
    out = []
    for one in found:
        seen[one.name] = seen.get(one.name, 0) + 1
        name = one.name if seen[one.name] == 1 else f"{one.name}-{seen[one.name]}"
        out.append(Suggestion(route=one.route, name=name, methods=one.methods, risk=one.risk, why=one.why,
                              public=one.public))  # fmt: skip
    return out


def _ordered(found: list[Suggestion]) -> list[Suggestion]:
    """In the order of the app, but a special path before the general one that would take its requests. Left out: what
    is no path in the syntax of rules, and what could never hold."""
    out: list[tuple[Suggestion, Pattern]] = []
    for one in found:
        try:
            pattern = compile_pattern(one.route.path)
        except PatternError:
            continue
        place = next((place for place, (_, other) in enumerate(out) if covers(other, pattern)), len(out))
        out.insert(place, (one, pattern))
    rules = {id(one): _rule(one) for one, _ in out if not one.public}
    never = {id(rule) for rule, _ in find_unreachable(list(rules.values()))}
    return [one for one, _ in out if one.public or id(rules[id(one)]) not in never]


def _rule(one: Suggestion) -> Rule:
    return Rule(name=one.name, path=one.route.path, version="", methods=frozenset(one.methods) or None)
