"""``grants``: what a user holds now, from the shell. ``revoke`` takes it away."""

# ruff: noqa: PLC0415 (the help of a command must not load the gate)

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import service
from .failure import FOUND
from .names import user_name
from .program import command
from .screen import safe, say, say_json, table

if TYPE_CHECKING:
    from ..gate.services import Services


@command("grants")
@click.argument("user", type=user_name)
def grants(user: str, config: Path, as_json: bool) -> int:
    """List a user's grants, the newest first.

    `stepup revoke USER --grants` ends them. Exit code 1 if there is none.
    """
    from ..gate.holdings import shown

    async def task(services: Services) -> list[dict[str, Any]]:
        return [shown(grant) for grant in await services.store.grants(user, now=time.time())]

    found = service.work(config, task)
    if as_json:
        say_json({"user": user, "grants": found})
    elif found:
        headers = ("id", "scope", "route", "method", "proved", "expires")
        say(table(headers, [tuple(safe(str(value), 64) for value in grant.values()) for grant in found]))
    else:
        say(f"{safe(user)} holds no grant", to_stderr=True)
    return 0 if found else FOUND
