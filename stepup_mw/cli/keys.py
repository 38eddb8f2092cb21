"""``keys``: the secret keys, what hangs on each, and a new one. No key is shown but one that is made here."""

# ruff: noqa: PLC0415 (the help of a command must not load cryptography)

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..encoding import format_duration
from . import service
from .failure import FOUND, CommandError
from .program import SETTINGS, Group, command
from .screen import paint, safe, say, say_json, table

if TYPE_CHECKING:
    from ..gate.services import Services
    from ..keyring import Keyring
    from ..rotation import Sealed
    from ..settings import Settings


@click.group("keys", cls=Group, context_settings=SETTINGS)
def keys() -> None:
    """Show the secret keys by name, and rotate them."""


@command("status")
def status(config: Path, as_json: bool) -> int:
    """Say which keys there are, what each one seals, and which may be withdrawn.

    Exit code 1 if there are secrets that no key opens any more: their users are listed.
    """
    from ..rotation import survey_sealed

    async def task(services: Services) -> tuple[Settings, tuple[str, ...], Sealed]:
        return services.settings, services.keyring.key_ids, await survey_sealed(services.store, services.keyring)

    settings, names, sealed = service.work(config, task)
    _show(_report(settings, names, sealed), as_json=as_json)
    return FOUND if sealed.lost else 0


def _report(settings: Settings, names: tuple[str, ...], sealed: Sealed) -> dict[str, Any]:
    file = settings.secret_key_file
    return {
        "from": str(file) if file is not None else "STEPUP_SECRET_KEY",
        "keys": [{"key": name, "newest": name == names[-1], "secrets": sealed.by_key.get(name, 0)} for name in names],
        "digest_key": settings.digest_key is not None,
        "withdraw_after_s": _longest_s(settings),
        "lost": [{"user": factor.user, "factor_id": factor.factor_id, "key": name} for factor, name in sealed.lost],
    }


def _longest_s(settings: Settings) -> int:
    """How long what an older key has signed or sealed for a moment can still be good."""
    return max([settings.challenge.ttl_s, *(rule.max_age_s for rule in settings.rules)])


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(report)
        return
    rows = [(entry["key"], str(entry["secrets"]), _role(report, entry)) for entry in report["keys"]]
    say(table(("key", "secrets", ""), rows, right=frozenset({"secrets"})))
    say()
    say(f"from {safe(report['from'])}")
    for entry in report["lost"]:
        say(paint(f"✗ {safe(entry['user'])}: sealed under {entry['key']}, which is not configured", "red"))
    if report["lost"]:
        say("Bring that key back, in front of the others, or enroll these users again.")


def _role(report: dict[str, Any], entry: dict[str, Any]) -> str:
    if entry["newest"]:
        return "signs and seals"
    if entry["secrets"]:
        return "opens; `stepup keys rotate` seals its secrets under the newest"
    if not report["digest_key"] and entry is report["keys"][0]:
        return "opens; sessions, devices and recovery codes hang on it: do not withdraw it"
    after = format_duration(report["withdraw_after_s"])
    return f"opens; may be withdrawn {after} after every process has the newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rotated:
    """What `rotate` did or asks for. ``append`` and ``prepend`` are entries for the environment."""

    names: tuple[str, ...]
    resealed: int
    lost: int
    append: str | None = None
    prepend: str | None = None
    added: bool = False


@command("rotate")
def rotate(config: Path, as_json: bool) -> int:
    """Begin with a new key, and seal every secret under it; nobody is signed out.

    With a secret_key_file the new key goes into the file, and running processes take it from there. With
    STEPUP_SECRET_KEY the new value is for you to set: run this again once every process has it, and the secrets are
    sealed under it. Where secrets are still under an older key, they are sealed anew and no further key is made.
    Exit code 1 if there are secrets that no key opens any more.
    """
    rotated = service.work(config, _rotate)
    longest = _longest_s(service.read(config).settings)
    if as_json:
        body = {"keys": list(rotated.names), "added": rotated.added, "resealed": rotated.resealed}
        say_json({**body, "append": rotated.append, "prepend": rotated.prepend, "withdraw_after_s": longest})
    else:
        _tell(rotated, format_duration(longest))
    return FOUND if rotated.lost else 0


async def _rotate(services: Services) -> _Rotated:
    from ..config.secret import format_digest_key
    from ..keyring import make_digest_key
    from ..rotation import survey_sealed

    settings, keyring = services.settings, services.keyring
    sealed = await survey_sealed(services.store, keyring)
    if sealed.pending(keyring.key_ids[-1]):
        return await _finish(services, keyring, lost=len(sealed.lost), added=False)
    new = base64.b64encode(os.urandom(32)).decode("ascii")
    first = None if settings.digest_key else format_digest_key(make_digest_key(settings.secret_keys[0]))
    if settings.secret_key_file is None:
        return _Rotated(names=keyring.key_ids, resealed=0, lost=len(sealed.lost), append=new, prepend=first)
    _write(settings.secret_key_file, first, new)
    if not keyring.refresh():
        raise CommandError(f"{settings.secret_key_file} does not hold what was written; nothing was sealed anew")
    return await _finish(services, keyring, lost=len(sealed.lost), added=True)


def _write(file: Path, first: str | None, new: str) -> None:
    from ..config.keyfile import add_entries

    try:
        add_entries(file, first=first, last=new)
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror or error}; nothing was changed") from error


async def _finish(services: Services, keyring: Keyring, *, lost: int, added: bool) -> _Rotated:
    from ..rotation import record, reseal

    count = await reseal(services.store, keyring)
    await record(services, keyring, count)
    return _Rotated(names=keyring.key_ids, resealed=count, lost=lost, added=added)


def _tell(rotated: _Rotated, longest: str) -> None:
    if rotated.append is not None:
        say("Set STEPUP_SECRET_KEY anew, for every process, then run this again:")
        if rotated.prepend is not None:
            say(f"  in front of what it has:  {paint(rotated.prepend + ',', bold=True)}")
        say(f"  after what it has:        {paint(',' + rotated.append, bold=True)}")
        return
    tick = paint("✓", "green", bold=True)
    if rotated.added:
        say(f"{tick} a new key, {paint(rotated.names[-1], bold=True)}, signs and seals from now on.")
    say(f"{tick} {rotated.resealed} secrets sealed under {rotated.names[-1]}.")
    older = ", ".join(rotated.names[:-1])
    if older:
        say(f"Withdraw {older} {longest} after every process has the new key; ask `stepup keys status` before.")


keys.add_command(status)
keys.add_command(rotate)
