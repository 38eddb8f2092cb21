"""Looks after the data files of a running service: what has changed is loaded, and every change is on record."""

from __future__ import annotations

import logging
from typing import Any

from anyio import to_thread

from ..watched import Change
from .services import Services

_log = logging.getLogger("stepup_mw")


def in_force(services: Services) -> dict[str, Any]:
    """What a line says of the policy that decides from now on, and of the data it decides by."""
    return {
        "policy": services.settings.policy_version,
        "routes": len(services.settings.rules),
        "signals": [weighted.signal.name for weighted in services.signals],
        "data": [file.detail for file in services.sources.watched],
    }


async def refresh(services: Services) -> None:
    """Look at every file once."""
    if not services.sources.watched:
        return
    for change in await to_thread.run_sync(_look, services):
        _log.warning("%s", change.words)
        services.journal.post(services.journal.notice("config", change.kind, detail=change.detail))


def _look(services: Services) -> list[Change]:
    now = services.clock()
    return [change for file in services.sources.watched if (change := file.refresh(now)) is not None]
