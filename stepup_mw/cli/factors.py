"""Factors from the shell: enroll, users, revoke, unlock, code. What changes something is on record in the trail."""

# ruff: noqa: PLC0415 (the help of a command must not load pydantic and cryptography)

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..encoding import format_instant
from ..errors import MissingExtra
from . import service
from .failure import FOUND, CommandError
from .names import user_name
from .program import command
from .qr import render_qr
from .screen import color_mode, fields, paint, safe, say, say_json, table, warn

if TYPE_CHECKING:
    from ..enrollment import Enrolled
    from ..gate.services import Services
    from ..state import UserSummary


@command("enroll")
@click.argument("user", type=user_name)
@click.option("--secret-stdin", is_flag=True, help="Take a base32 secret from standard input, its first line.")
@click.option("--force", is_flag=True, help="Replace the authenticator the user has.")
def enroll(user: str, secret_stdin: bool, force: bool, config: Path, as_json: bool) -> int:
    """Give a user an authenticator and recovery codes.

    Shows the secret, its QR code and the recovery codes, once: they are kept sealed and cannot be shown again. A user
    who has an authenticator keeps it unless you say --force; replacing it ends their grants.
    """
    from ..enrollment import enroll as enroll_user
    from ..enrollment import parse_secret

    secret = parse_secret(_read_secret()) if secret_stdin else None

    async def task(services: Services) -> Enrolled:
        if not force and await services.store.factors(user):
            _confirm_replacement(user, ask=not as_json and not secret_stdin)
        return await enroll_user(services, user, secret=secret)

    enrolled = service.work(config, task)
    if as_json:
        shown = {"user": enrolled.user, "secret": enrolled.secret, "uri": enrolled.uri}
        say_json({**shown, "recovery_codes": list(enrolled.recovery_codes), "replaced": enrolled.replaced})
    else:
        _show_enrolled(enrolled)
    return 0


def _read_secret() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("secret (base32)", hide_input=True, err=True))
    return sys.stdin.readline(1024)


def _confirm_replacement(user: str, *, ask: bool) -> None:
    """CommandError, with nothing changed, unless a person at the terminal agrees."""
    if ask and sys.stdin.isatty() and sys.stdout.isatty():
        question = f"{safe(user)} has an authenticator. Replace it, end its grants and void its recovery codes?"
        if click.confirm(question, err=True):
            return
        raise CommandError("nothing was changed", FOUND)
    raise CommandError(f"{safe(user)} has an authenticator already; nothing was changed; --force replaces it", FOUND)


def _show_enrolled(enrolled: Enrolled) -> None:
    verb = "has a new authenticator; the old one and its grants are void" if enrolled.replaced else "is enrolled"
    say(f"{paint('✓', 'green', bold=True)} {paint(safe(enrolled.user), bold=True)} {verb}.")
    say()
    if sys.stdout.isatty():
        _show_qr(enrolled.uri)
    groups = " ".join(enrolled.secret[start : start + 4] for start in range(0, len(enrolled.secret), 4))
    codes = enrolled.recovery_codes
    pairs = [f"{left}   {right}" for left, right in zip(codes[::2], codes[1::2], strict=True)]
    say(fields([("secret", paint(groups, bold=True)), ("uri", enrolled.uri), ("recovery", "\n".join(pairs))]))
    say()
    say(paint("Shown once: hand them over now. Each recovery code works one time.", "yellow"))


def _show_qr(uri: str) -> None:
    try:
        say(render_qr(uri, color=color_mode(os.environ) is not False))
    except MissingExtra as error:
        say(paint(str(error), dim=True))
    say()


@command("users")
def users(config: Path, as_json: bool) -> int:
    """List who has an authenticator, and who is locked.

    Exit code 1 if there is nobody.
    """

    async def task(services: Services) -> tuple[UserSummary, ...]:
        return await services.store.users()

    found = service.work(config, task)
    now = time.time()
    if as_json:
        say_json({"users": [_user_json(user, now) for user in found]})
    elif found:
        headers = ("user", "authenticators", "recovery codes", "since", "failures", "locked until")
        rows = [_user_row(user, now) for user in found]
        say(table(headers, rows, right=frozenset({"authenticators", "recovery codes", "failures"})))
    else:
        say("nobody has an authenticator yet; `stepup enroll USER` gives one", to_stderr=True)
    return 0 if found else FOUND


def _user_row(user: UserSummary, now: float) -> tuple[str, ...]:
    codes = str(user.recovery_codes)
    return (
        paint(safe(user.user, 256), bold=True),
        str(user.factors),
        codes if user.recovery_codes > 2 else paint(codes, "yellow"),
        format_instant(user.created_at),
        paint(str(user.failures), "yellow") if user.failures else "0",
        paint(_lock_text(user), "red") if user.locked_until > now else paint("-", dim=True),
    )


def _lock_text(user: UserSummary) -> str:
    return "until unlocked" if _forever(user) else format_instant(user.locked_until)


def _forever(user: UserSummary) -> bool:
    from ..state import FOREVER

    return user.locked_until >= FOREVER


def _user_json(user: UserSummary, now: float) -> dict[str, object]:
    locked = user.locked_until > now
    return {
        "user": user.user,
        "factors": user.factors,
        "recovery_codes": user.recovery_codes,
        "since": format_instant(user.created_at),
        "failures": user.failures,
        "locked": locked,
        "locked_until": format_instant(user.locked_until) if locked and not _forever(user) else None,
    }


@command("revoke")
@click.argument("user", type=user_name)
@click.option("--grants", "only_grants", is_flag=True, help="Only the grants: the authenticator stays.")
def revoke(user: str, only_grants: bool, config: Path, as_json: bool) -> int:
    """Take a user's authenticator, codes and grants away.

    A lock and the count of failures stay. Exit code 1 if the user has none.
    """
    from ..enrollment import revoke as revoke_user
    from ..revocation import revoke_grants

    async def task(services: Services) -> tuple[int, int]:
        ended = await revoke_grants(services, user, by="operator")
        return 0 if only_grants else await revoke_user(services, user), ended

    count, ended = service.work(config, task)
    if as_json:
        say_json({"user": user, "revoked": count, "grants": ended})
    else:
        _tell_revoked(user, count, ended, only_grants=only_grants)
    return 0 if count or ended else FOUND


def _tell_revoked(user: str, count: int, ended: int, *, only_grants: bool) -> None:
    tick = paint("✓", "green", bold=True)
    if count:
        say(f"{tick} {safe(user)} has no authenticator, recovery code or grant any more.")
    elif ended:
        say(f"{tick} {safe(user)} holds no grant any more.")
    else:
        nothing = "no grant" if only_grants else "no authenticator"
        say(f"{safe(user)} has {nothing}; nothing to revoke", to_stderr=True)


@command("unlock")
@click.argument("user", type=user_name)
def unlock(user: str, config: Path, as_json: bool) -> int:
    """Clear a user's failures and lock.

    Exit code 1 if there is nothing to clear.
    """
    from ..enrollment import unlock as unlock_user

    cleared = service.work(config, lambda services: unlock_user(services, user))
    if as_json:
        say_json({"user": user, "unlocked": cleared})
    elif cleared:
        say(f"{paint('✓', 'green', bold=True)} {safe(user)} is unlocked, with no failures on the count.")
    else:
        say(f"{safe(user)} has no failures and no lock", to_stderr=True)
    return 0 if cleared else FOUND


@command("code")
@click.argument("user", type=user_name)
@click.option("--development", is_flag=True, help="I know: whoever can do this needs no authenticator.")
def code(user: str, development: bool, config: Path, as_json: bool) -> int:
    """Show a user's current code; for development only.

    Refused where cookie.secure is true, which is production, unless you say --development. Exit code 1 if the user
    has no authenticator.
    """

    from ..gate.codes import own_factors

    async def task(services: Services) -> str | None:
        if services.settings.cookie.secure and not development:
            raise CommandError("cookie.secure is true, so this is no development set-up; --development insists")
        for factor in await own_factors(services, user, kind="totp"):
            return services.keyring.unseal("totp", factor.sealed, user).decode("ascii")
        return None

    secret = service.work(config, task)
    if secret is None:
        raise CommandError(f"{safe(user)} has no authenticator; `stepup enroll` gives one", FOUND)
    _show_code(user, secret, as_json=as_json)
    return 0


def _show_code(user: str, secret: str, *, as_json: bool) -> None:
    from ..totp import PERIOD_S, format_code, time_step

    now = time.time()
    digits, left_s = format_code(secret, time_step(now)), PERIOD_S - int(now) % PERIOD_S
    if as_json:
        say_json({"user": user, "code": digits, "expires_in_s": left_s})
        return
    warn("a code in a terminal is for development only")
    hint = f"  {paint(f'{left_s} s left', dim=True)}" if sys.stdout.isatty() else ""
    say(f"{paint(digits, bold=True)}{hint}")
