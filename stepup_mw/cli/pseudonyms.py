"""``audit user-ids``: under which ids the lines show a user, where they do not show the name (``audit.user_id``)."""

# ruff: noqa: PLC0415 (the help of a command must not load cryptography)

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import service
from .failure import CommandError
from .names import user_name
from .program import command
from .screen import paint, say, say_json, table

if TYPE_CHECKING:
    from ..settings import Settings


@command("user-ids")
@click.argument("user", type=user_name)
@click.option(
    "--keys",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Secret keys that were withdrawn, one a line: their ids too.",
)
def user_ids(user: str, keys: Path | None, config: Path, as_json: bool) -> int:
    """Say under which ids the lines show USER where `audit.user_id` is "hmac".

    One id a secret key, the newest first: each `stepup keys rotate` begins new ids, and only who holds a key can tell
    whose its ids are. A key that is destroyed leaves its ids without a name for good. `stepup tail --user USER` finds
    the lines of all keys that are configured.
    """
    settings = service.read(config).settings
    found = ids_of(user, settings, _read_keys(keys) if keys is not None else ())
    if as_json:
        ids = [{"key": key or None, "id": shown} for key, shown in found]
        say_json({"user": user, "user_id": settings.trail.user_id, "ids": ids})
        return 0
    newest = found[0][1]
    rows = [(key or "-", shown, _note(key, newest=shown == newest)) for key, shown in found]
    say(table(("key", "user_id", "in lines"), rows))
    if settings.trail.user_id == "plain":
        say(paint('audit.user_id is "plain": lines show the name itself', dim=True), to_stderr=True)
    return 0


def ids_of(user: str, settings: Settings, withdrawn: Iterable[bytes] = ()) -> tuple[tuple[str, str], ...]:
    """Each key's name ("" for ids that name none) and the user's id under it, the newest key's first."""
    from ..config.keyfile import open_keyring
    from ..keyring import Keyring

    rings = [open_keyring(settings, os.urandom), *(Keyring([key], os.urandom) for key in withdrawn)]
    found = dict.fromkeys(item for ring in rings for item in ring.pseudonyms(user))
    return tuple(sorted(found, key=lambda item: not item[0]))


def _read_keys(file: Path) -> tuple[bytes, ...]:
    from ..config.secret import read_secrets

    secrets = read_secrets({}, file)
    if secrets.flaws:
        raise CommandError(f"{file}: {secrets.flaws[0]}")
    return secrets.keys


def _note(key: str, *, newest: bool) -> str:
    if newest:
        return "written now"
    return "under an older key" if key else "of version 0.1.0"
