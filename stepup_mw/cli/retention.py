"""How long a trail is kept: ``audit prune`` and ``hold``."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..encoding import format_timestamp
from . import service
from .failure import FOUND, CommandError
from .program import command
from .progress import progress
from .screen import paint, safe, say, say_json
from .upkeep import DONE, YES, open_trail
from .vkeys import find_held, find_keys

if TYPE_CHECKING:
    from ..settings import Settings
    from ..trail.prune import Plan

_FILE = click.Path(path_type=Path, dir_okay=False)


@command("prune")
@YES
@click.option("--archive", type=_FILE, metavar="FILE.tar", help="Where what is removed is kept; a new file.")
def prune(yes: bool, archive: Path | None, config: Path, as_json: bool) -> int:
    """Remove the sealed segments that are older than audit.retain.

    First the whole trail is verified, then what goes is exported to --archive and the export verified; then a line in
    the trail says what was removed and what stands for it, and a checkpoint is signed over that line. Only then the
    files go. `verify` says VERIFIED_FROM afterwards, and PRUNED_UNRECORDED where files went by another hand. Exit code
    1 if nothing may be removed.
    """
    from ..trail.prune import Tools, plan_prune
    from ..trail.prune import prune as carry_out

    loaded = service.read(config)
    settings = loaded.settings
    plan = plan_prune(settings.trail, now=time.time())
    packed = None
    if yes and plan.segments:
        if archive is None:
            raise CommandError("--yes needs --archive FILE.tar: what is removed has to be kept somewhere")
        trail = open_trail(settings)
        keys = find_keys(loaded, config) or ""
        tools = Tools(
            trail=trail, service=settings.service, vkey=keys, held=find_held(loaded), clock=time.time, random=os.urandom
        )
        try:
            with progress("pruning", wanted=not as_json) as advance:
                packed = carry_out(settings.trail, plan, archive, tools, advance)
        finally:
            trail.close()
    if as_json:
        say_json({**_plan_json(plan), "archive": str(packed.path) if packed else None, "done": packed is not None})
    else:
        _show_plan(plan, archive if packed else None)
    return 0 if plan.segments else FOUND


def _plan_json(plan: Plan) -> dict[str, Any]:
    names = [item.path.name for item in plan.segments]
    told = {"segments": names, "lines": plan.lines, "bytes": plan.bytes}
    return {**told, "refused": plan.refused or None, "kept": plan.kept or None}


def _show_plan(plan: Plan, archive: Path | None) -> None:
    if plan.refused:
        say(f"{paint('✗ nothing may be removed', 'red', bold=True)}  {safe(plan.refused)}")
    elif not plan.segments:
        say(f"nothing is old enough to be removed{'; ' + safe(plan.kept) if plan.kept else ''}")
    else:
        what = f"{len(plan.segments)} segments, {plan.lines:,} lines, {plan.bytes:,} bytes"
        if archive is not None:
            say(f"{DONE} removed {what}; they are in {paint(safe(archive), bold=True)}")
        else:
            say(f"{paint('would', 'yellow', bold=True)} remove {what}:")
            say("\n".join(f"  {item.path.name}" for item in plan.segments))
            say("\n--yes --archive FILE.tar does it.")
        if plan.kept:
            say(f"{plan.kept}")


@command("hold")
@click.option("--reason", help="Why; begins a hold.")
@click.option("--release", is_flag=True, help="End it.")
def hold(reason: str | None, release: bool, config: Path, as_json: bool) -> int:
    """Keep everything: while a hold is in force, `prune` refuses.

    Without an option, says whether one is in force. Beginning and ending one are lines of the trail. The hold is the
    file HOLD in the audit folder.
    """
    from ..trail.files import Layout

    settings = service.read(config).settings
    path = Layout(settings.trail.path).hold
    if reason is not None and release:
        raise CommandError("either --reason or --release")
    if reason is not None:
        if os.path.lexists(path):
            raise CommandError(f"a hold is in force already: {path}")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(f"{format_timestamp(time.time())} {reason}\n", "utf-8")
        _record(settings, "hold", {"on": True, "reason": reason[:300]})
    elif release:
        if not os.path.lexists(path):
            raise CommandError("no hold is in force")
        _record(settings, "hold", {"on": False, "reason": None})
        path.unlink()
    text = path.read_text("utf-8", "replace").strip() if path.is_file() else None
    if as_json:
        say_json({"hold": text is not None, "why": text, "file": str(path)})
    else:
        say(f"a legal hold is in force: {safe(text)}" if text is not None else "no legal hold is in force")
    return 0


def _record(settings: Settings, phase: str, detail: dict[str, Any]) -> None:
    """Put what an operator did on record, durable on return."""
    from .. import events
    from ..encoding import format_uuid7

    now = time.time()
    event_id = format_uuid7(now, os.urandom(10))
    trail = open_trail(settings)
    try:
        trail.append_blocking(
            [events.other("audit", phase, now=now, event_id=event_id, service=settings.service, detail=detail)]
        )
    finally:
        trail.close()
