"""What needs more than one table to judge: rules against each other and the prefix, files against their folders.

Works on whatever part of the document is sound, so that one mistake does not hide another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..encoding import format_duration
from ..errors import NoteError
from ..note import origin_of, parse_signer
from ..policy import Rule
from ..shadows import check_prefix, find_unreachable
from .anchors import anchor_flaws
from .assemble import make_rule, resolve
from .challenge import Challenge
from .document import Flaw
from .geo import Geo, origin_flaws
from .kinds import found
from .models import StepUpFile
from .notices import Notices, notice_flaws
from .page import Page, page_flaws
from .passkeys import Passkeys, passkey_flaws
from .risk import Risk
from .routes import Route
from .signals import Signals
from .tokens import token_flaws
from .trail import Audit

_MAX_KEY_BYTES = 16 * 1024
_Table = TypeVar("_Table", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """The parts that hold: the routes with their index, and the tables, None where they do not."""

    routes: tuple[tuple[int, Route], ...]
    challenge: Challenge | None
    audit: Audit | None
    notices: Notices | None
    page: Page | None = None
    passkeys: Passkeys | None
    geo: Geo | None = None
    signals: Signals | None = None


def sound_parts(data: dict[str, Any], file: StepUpFile | None) -> Sound:
    """All of a good file, or what is left of a bad one."""
    if file is not None:
        return Sound(
            routes=tuple(enumerate(file.routes)),
            challenge=file.challenge,
            audit=file.audit,
            notices=file.notices,
            page=file.page,
            geo=file.geo,
            signals=file.risk.signals,
            passkeys=file.passkeys,
        )
    risk = _try(Risk, data.get("risk", {}))
    entries = data.get("routes")
    routes = [(index, _try(Route, entry)) for index, entry in enumerate(entries if isinstance(entries, list) else [])]
    return Sound(
        routes=tuple((index, route) for index, route in routes if route is not None),
        challenge=_try(Challenge, data.get("challenge", {})),
        audit=_try(Audit, data.get("audit", {})),
        notices=_try(Notices, data.get("notices", {})),
        page=_try(Page, data.get("page", {})),
        geo=_try(Geo, data.get("geo")),
        signals=risk.signals if risk is not None else None,
        passkeys=_try(Passkeys, data["passkeys"]) if "passkeys" in data else None,
    )


def review(data: dict[str, Any], sound: Sound, folder: Path) -> list[Flaw]:
    """The flaws between the parts."""
    flaws = [*_repeated_names(data.get("routes")), *_rule_flaws(sound), *token_flaws(data, folder)]
    if sound.audit is not None:
        flaws += [*_audit_flaws(sound.audit, folder), *anchor_flaws(sound.audit, folder)]
    if sound.notices is not None:
        flaws += notice_flaws(sound.notices, folder)
    if sound.page is not None:
        flaws += page_flaws(sound.page, folder)
    flaws += origin_flaws(sound.geo, data.get("geo") is not None, sound.signals, folder)
    flaws += passkey_flaws(sound.passkeys, sound.routes, there="passkeys" in data)
    return flaws


def _try(model: type[_Table], value: Any) -> _Table | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def _repeated_names(routes: Any) -> Iterator[Flaw]:
    first: dict[str, int] = {}
    for index, route in enumerate(routes if isinstance(routes, list) else []):
        name = route.get("name") if isinstance(route, dict) else None
        if isinstance(name, str) and first.setdefault(name, index) != index:
            message = (
                f"found {found(name)}, the name of routes[{first[name]}] already; each route has a name of its own"
            )
            yield Flaw(path=("routes", index, "name"), message=message)


def _rule_flaws(sound: Sound) -> Iterator[Flaw]:
    for index, route in sound.routes:
        if route.stream_max_age is not None and route.stream_max_age < route.max_age:
            shown, least = format_duration(route.stream_max_age), format_duration(route.max_age)
            message = f'found "{shown}"; allowed is max_age ("{least}") or more: what was let in would be ended at once'
            yield Flaw(path=("routes", index, "stream_max_age"), message=message)
    rules = [(index, make_rule(route)) for index, route in sound.routes]
    places = {id(rule): index for index, rule in rules}
    only = [rule for _, rule in rules]
    for shadowed, by in find_unreachable(only):
        message = (
            f"{found(shadowed.name)} is never reached: routes[{places[id(by)]}] {found(by.name)} ({_shown(by)}) comes "
            f"first and matches all of {_shown(shadowed)}; move this one before it, or take it out"
        )
        yield Flaw(path=("routes", places[id(shadowed)], "path"), message=message)
    if sound.challenge is not None:
        prefix = sound.challenge.prefix
        for rule in check_prefix(only, prefix):
            message = (
                f"found {found(rule.path)}, under challenge.prefix {found(prefix)}, where this package itself answers"
            )
            yield Flaw(path=("routes", places[id(rule)], "path"), message=message)


def _shown(rule: Rule) -> str:
    return f"{' '.join(sorted(rule.methods)) if rule.methods else 'every method'} {rule.path}"


def _audit_flaws(audit: Audit, folder: Path) -> Iterator[Flaw]:
    path = resolve(folder, audit.path)
    if path.is_dir():
        yield Flaw(path=("audit", "path"), message=f"found {found(audit.path)}, a folder; the path of a file is needed")
    if audit.signing_key_file is None:
        return
    key = resolve(folder, audit.signing_key_file)
    message: str | None
    if path.parent.resolve() in key.resolve().parents:
        message = "lies inside the audit folder: who can change the trail could sign it too; keep the key elsewhere"
    else:
        message = _key_flaw(key)
    if message is not None:
        yield Flaw(path=("audit", "signing_key_file"), message=message)


def _key_flaw(file: Path) -> str | None:
    """What is wrong with a signing key file, or None."""
    try:
        with file.open("rb") as opened:
            parse_signer(opened.read(_MAX_KEY_BYTES), origin_of("check"))
        writable = file.stat().st_mode & 0o002
    except FileNotFoundError:
        return "there is no such file; `stepup init` writes one"
    except OSError as error:
        return f"the file cannot be read: {error.strerror or 'unknown error'}"
    except NoteError as error:
        return f"{error}; `stepup init` writes an Ed25519 key"
    return "anybody can write to the file; chmod 600" if writable else None
