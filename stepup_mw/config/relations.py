"""How the keys of one table must agree. A relation is judged where its own keys are sound, whatever else is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from ..encoding import format_duration
from . import forms, tokens
from .document import Flaw
from .identity import Identity
from .kinds import found
from .places import Path
from .risk import Risk
from .throttle import Account
from .trail import Disk, MaxUnanchored

Judge = Callable[..., tuple[str, str] | None]
"""Takes the values of the keys, in order; gives the key at fault ("" for the table) and the message, or None."""


@dataclass(frozen=True, slots=True)
class Relation:
    table: Path
    model: type[BaseModel]
    keys: tuple[str, ...]
    judge: Judge


def check_relations(data: Mapping[str, Any], flaws: Iterable[Flaw]) -> list[Flaw]:
    """The flaws between keys. ``flaws`` are those of the keys alone: what they touch is not judged again."""
    return list(_check(data, {flaw.path[:length] for flaw in flaws for length in range(1, len(flaw.path) + 1)}))


def _check(data: Mapping[str, Any], touched: set[Path]) -> Iterator[Flaw]:
    for relation in _RELATIONS:
        table = _table(data, relation.table)
        if table is None or any((*relation.table, key) in touched for key in relation.keys):
            continue
        verdict = relation.judge(*(_value(relation.model, table, key) for key in relation.keys))
        if verdict is not None:
            key, message = verdict
            yield Flaw(path=(*relation.table, key) if key else relation.table, message=message)


def _table(data: Any, path: Path) -> dict[str, Any] | None:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else None


def _value(model: type[BaseModel], table: dict[str, Any], key: str) -> Any:
    """The value of a sound key as the program uses it."""
    field = model.model_fields[key]
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    return adapter.validate_python(table.get(key, field.default), strict=True)


def _header_user(provider: str, user: str | None) -> tuple[str, str] | None:
    if provider == "remote_user" and user is not None:
        return "user", "the remote_user provider reads REMOTE_USER; take this key out"
    if provider == "header" and user is None:
        return "user", 'missing: the header provider needs the name of the header; add user = "X-Auth-User"'
    return _header_name(provider, user, "user")


def _header_session(provider: str, session: str | None) -> tuple[str, str] | None:
    return _header_name(provider, session, "session")


def _header_name(provider: str, name: str | None, key: str) -> tuple[str, str] | None:
    if provider != "header" or name is None:
        return None
    try:
        forms.read_token(name)
    except ValueError:
        return key, f'found {found(name)}; allowed is the name of a header, such as "X-Auth-User"'
    return None


def _header_proxies(provider: str, proxies: list[str]) -> tuple[str, str] | None:
    if provider != "header" or proxies:
        return None
    return "trusted_proxies", (
        "missing: without it the header of anybody would be believed; "
        'add the addresses of your proxies, such as trusted_proxies = ["127.0.0.1"]'
    )


def _thresholds(challenge_at: int, deny_at: int) -> tuple[str, str] | None:
    if challenge_at <= deny_at:
        return None
    return "deny_at", f"found {deny_at}; allowed is challenge_at ({challenge_at}) or more"


def _ceiling(failures: int, ceiling: int) -> tuple[str, str] | None:
    if failures <= ceiling:
        return None
    return "ceiling", f"found {ceiling}; allowed is failures ({failures}) or more"


def _longest_lock(lock: int, max_lock: int) -> tuple[str, str] | None:
    if lock <= max_lock:
        return None
    return "max_lock", f'found "{format_duration(max_lock)}"; allowed is lock ("{format_duration(lock)}") or more'


def _bounded(lines: int | None, seconds: int | None) -> tuple[str, str] | None:
    return ("", "bounds nothing; give lines, seconds or both") if lines is None and seconds is None else None


def _stages(critical: int, warn: int) -> tuple[str, str] | None:
    return ("critical", f"found {critical} bytes; allowed is warn ({warn} bytes) or less") if critical > warn else None


_RELATIONS = (
    Relation(("identity",), Identity, ("provider", "user"), _header_user),
    Relation(("identity",), Identity, ("provider", "session"), _header_session),
    Relation(("identity",), Identity, ("provider", "trusted_proxies"), _header_proxies),
    *(Relation(("identity",), Identity, ("provider", key), tokens.missing_key(key)) for key in tokens.KEYS),
    Relation(("risk",), Risk, ("challenge_at", "deny_at"), _thresholds),
    Relation(("throttle", "account"), Account, ("failures", "ceiling"), _ceiling),
    Relation(("throttle", "account"), Account, ("lock", "max_lock"), _longest_lock),
    Relation(("audit", "disk"), Disk, ("critical", "warn"), _stages),
    Relation(("audit", "max_unanchored"), MaxUnanchored, ("lines", "seconds"), _bounded),
)
