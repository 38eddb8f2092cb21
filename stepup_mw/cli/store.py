"""``store``: whether the store is what it was, and the word of an operator who has seen to it that it is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..encoding import format_instant
from . import service
from .failure import FOUND
from .program import SETTINGS, Group, command
from .screen import paint, say, say_json

if TYPE_CHECKING:
    from ..gate.services import Services
    from ..state import Loss

_WORDS = {
    "older": "An older copy of it was put in its place",
    "other": "Another store was found in its place",
    "empty": "It was found empty",
    "evicted": "Its server has evicted keys, nobody knows which",
}


@click.group("store", cls=Group, context_settings=SETTINGS)
def store() -> None:
    """Say whether the store lost what it knew, and accept it."""


@command("status")
def status(config: Path, as_json: bool) -> int:
    """Say whether the store lost what it knew.

    Exit code 1 if it did and nobody has accepted that: see `stepup store accept`.
    """

    async def task(services: Services) -> Loss | None:
        return await services.store.loss()

    loss = service.work(config, task)
    if as_json:
        found_at = format_instant(loss.found_at) if loss else None
        say_json({"lost": loss is not None, "found": loss.found if loss else None, "found_at": found_at})
    elif loss is None:
        say(f"{paint('✓', 'green', bold=True)} The store is what it was.")
    else:
        _tell(loss)
    return FOUND if loss else 0


def _tell(loss: Loss) -> None:
    say(paint(f"✗ {_WORDS[loss.found]}, {format_instant(loss.found_at)}.", "red", bold=True))
    say()
    if loss.found == "evicted":
        say("What is gone is void: authenticators, grants, challenges. Set maxmemory-policy to noeviction.")
    else:
        say("Until a right code each account has one guess; every grant and recovery code of before is void.")
        say("An authenticator that was taken away through another host since then may be back: `stepup users`.")
    say("Who has none is answered 503, and cannot enroll by themself, until you say `stepup store accept`.")


@command("accept")
def accept(config: Path, as_json: bool) -> int:
    """Accept a loss: who has no authenticator now never had one.

    From then on they may enroll by themselves again, where the configuration lets them. Exit code 1 if there was no
    loss.
    """

    async def task(services: Services) -> bool:
        await services.store.loss()
        accepted = await services.store.accept_loss()
        if accepted:
            await services.journal.write(services.journal.notice("alert", "store_accepted", detail={"by": "operator"}))
        return accepted

    accepted = service.work(config, task)
    if as_json:
        say_json({"accepted": accepted})
    elif accepted:
        say(f"{paint('✓', 'green', bold=True)} Accepted. People without an authenticator may enroll where they may.")
    else:
        say("the store lost nothing; nothing to accept", to_stderr=True)
    return 0 if accepted else FOUND


for _each in (status, accept):
    store.add_command(_each)
