"""``audit``: work on the trail itself. It goes through the trail's own writer, so that the chain says what was done."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from . import anchors, proof, pseudonyms, reconcile, retention, service, upkeep
from .failure import FOUND
from .program import SETTINGS, Group, command
from .screen import paint, safe, say, say_json


@click.group("audit", cls=Group, context_settings=SETTINGS)
def audit() -> None:
    """Work on the audit trail itself."""


@command("rotate")
def rotate(config: Path, as_json: bool) -> int:
    """Seal the live file as a segment and begin another.

    The chain goes on in the new file; `tail -F` follows it, and so does `stepup tail -f`. Exit code 1 if there was no
    line to seal.
    """
    from ..trail import Trail

    settings = service.read(config).settings
    trail = Trail(settings.trail, service=settings.service, clock=time.time, random=os.urandom)
    try:
        sealed = trail.rotate_now()
    finally:
        trail.close()
    if as_json:
        say_json({"sealed": str(sealed) if sealed else None, "live": str(settings.trail.path)})
    elif sealed is not None:
        say(f"{paint('✓', 'green', bold=True)} sealed {paint(safe(sealed), bold=True)}")
    else:
        say("there was no line to seal", to_stderr=True)
    return 0 if sealed else FOUND


for each in (
    rotate,
    anchors.ship,
    upkeep.repair,
    proof.prove,
    upkeep.export,
    reconcile.reconcile,
    pseudonyms.user_ids,
    retention.prune,
    retention.hold,
    upkeep.rotate_key,
):
    audit.add_command(each)
