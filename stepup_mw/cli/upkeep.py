"""What keeps a trail in order: ``audit repair``, ``export`` and ``rotate-key``."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import StepUpError
from . import service
from .failure import FOUND, CommandError
from .program import command
from .progress import progress
from .screen import fields, paint, safe, say, say_json
from .tail import parse_since
from .vkeys import VKEY_FILE

if TYPE_CHECKING:
    from ..settings import Settings
    from ..trail import Trail
    from ..trail.repair import Damage, Diagnosis

_FILE = click.Path(path_type=Path, dir_okay=False)
YES = click.option("--yes", is_flag=True, help="Do it; left out, it only says what it would do.")
DONE = paint("✓", "green", bold=True)


def open_trail(settings: Settings) -> Trail:
    """The trail's writer, for one piece of work: close it."""
    from ..trail import Trail

    return Trail(settings.trail, service=settings.service, clock=time.time, random=os.urandom)


@command("repair")
@YES
def repair(yes: bool, config: Path, as_json: bool) -> int:
    """Put right what a crash left: a line cut off, a rotation half done, a note half written.

    A start of the service does the same. Torn bytes are kept under torn/, and the repair is itself a line. A trail that
    is shorter than what was signed for, or changed, is never repaired: that is evidence. Exit code 1 if there is
    something to repair and --yes is not given, or if it may not be repaired.
    """
    from ..trail.repair import diagnose

    settings = service.read(config).settings
    found = diagnose(settings.trail.path)
    done = yes and bool(found.damages) and not found.refused
    if done:
        trail = open_trail(settings)
        try:
            trail.append_blocking([])
        finally:
            trail.close()
    if as_json:
        damages = [{**asdict(item), "file": str(item.file)} for item in found.damages]
        say_json({"refused": found.refused or None, "lines": found.lines, "damages": damages, "repaired": done})
    else:
        _show_repair(found, done=done)
    return FOUND if found.refused or (found.damages and not done) else 0


def _show_repair(found: Diagnosis, *, done: bool) -> None:
    if found.refused:
        say(f"{paint('✗ not repaired', 'red', bold=True)}  {safe(found.refused)}")
    elif not found.damages:
        say(f"{DONE} there is nothing to repair; {found.lines:,} lines are whole")
    for damage in found.damages:
        sign = paint("✓ did", "green", bold=True) if done else paint("would", "yellow", bold=True)
        say(f"{sign} {_damage_text(damage)}")
    if found.damages and not done and not found.refused:
        say(f"\n{found.lines:,} whole lines stay as they are. --yes does it.")


def _damage_text(damage: Damage) -> str:
    place = f"{safe(damage.file)} from byte {damage.offset:,}"
    if damage.what == "torn_line":
        return f"move {damage.bytes:,} torn bytes at the end of {place} to torn/{damage.sha256}"
    if damage.what == "torn_note":
        return f"drop {damage.bytes:,} bytes of an unfinished note in {place}; the next checkpoint takes its place"
    return f"finish or drop the rotation that {safe(damage.file)} is left of"


@command("export")
@click.argument("out", type=_FILE)
@click.option("--since", metavar="WHEN", help="Files with lines since then: 10d, or a timestamp.")
@click.option("--until", metavar="WHEN", help="… and until then.")
def export(out: Path, since: str | None, until: str | None, config: Path, as_json: bool) -> int:
    """Write the trail, or whole segments of it, to the new tar file OUT, for somebody else to verify.

    It holds the lines as they are, the checkpoints over them, and what stands for the lines before; not the verifier
    key, which has to come by another way. `stepup verify OUT --key VKEY` checks it.
    """
    from ..trail.packs import export_pack

    path = service.read(config).settings.trail.path
    now = time.time()
    begin, end = (parse_since(text, now) if text is not None else None for text in (since, until))
    try:
        with progress("exporting", wanted=not as_json) as advance:
            packed = export_pack(path, out, since=begin, until=end, progress=advance)
    except FileExistsError:
        raise CommandError(f"{out} exists; an export is never written over") from None
    if as_json:
        say_json({**asdict(packed), "path": str(packed.path)})
    else:
        last = packed.first_seq + packed.lines - 1
        rows = [
            ("lines", f"{packed.first_seq} to {last}, in {packed.files} files"),
            ("checkpoints", f"{packed.checkpoints}, signed by {', '.join(map(safe, packed.keys)) or 'nobody'}"),
            ("sha256", packed.sha256),
        ]
        say(f"{DONE} {paint(safe(out), bold=True)}")
        say(fields(rows))
    return 0


@command("rotate-key")
@click.option("--new-trail", is_flag=True, help="Forget what the old key signed: for a new, empty audit folder.")
def rotate_key(new_trail: bool, config: Path, as_json: bool) -> int:
    """Replace the key that signs checkpoints.

    The old key signs a last checkpoint over the line that names the new one, and is put aside for you to destroy. The
    new verifier key is added to stepup-audit.vkey; keep the old ones there, checkpoints of their time need them. A
    running service uses the new key from its next checkpoint on.
    """
    from ..note import origin_of
    from ..trail.keys import change_key
    from ..trail.memory import Memory

    settings = service.read(config).settings
    path = settings.trail.signing_key_file
    if path is None:
        raise CommandError("audit.signing_key_file is not set: there is no key to replace")
    if new_trail:
        if settings.trail.path.exists() and settings.trail.path.stat().st_size:
            raise CommandError(f"{settings.trail.path} has lines: --new-trail is for an audit folder that has none")
        Memory(path, origin_of(settings.service)).forget()
    trail = open_trail(settings)

    def publish(vkey: str) -> None:
        with config.with_name(VKEY_FILE).open("a", encoding="utf-8") as stream:
            stream.write(f"{vkey}\n")

    try:
        changed = change_key(path, trail, service=settings.service, clock=time.time, random=os.urandom, publish=publish)
    finally:
        try:
            trail.close()
        except StepUpError as error:
            say(safe(error), to_stderr=True)
    if as_json:
        say_json({"old": changed.old, "new": changed.new, "aside": str(changed.aside)})
    else:
        say(f"{DONE} checkpoints are signed by {paint(changed.new, bold=True)}")
        say(f"  the old private key is {safe(changed.aside)}: destroy it, nothing needs it any more")
        say(f"  both verifier keys are in {safe(config.with_name(VKEY_FILE))}: give the new one to your auditors")
    return 0
