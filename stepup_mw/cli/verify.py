"""``verify``: is every line of the trail in its place? The verdict, what was checked, and the first bad line."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import anchors as places
from . import service
from .failure import CANNOT_VERIFY, CommandError
from .program import command
from .progress import progress
from .screen import say_json
from .verdict import show, verdict_json
from .vkeys import find_held, find_keys, is_own, name_key, refuse_key_inside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..config import Config
    from ..ship.evidence import Evidence
    from ..trail.report import Report

_FILE = click.Path(path_type=Path, dir_okay=False)


@command("verify")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--key", metavar="VKEY_OR_FILE", help="The verifier key, or a file with one a line.")
@click.option(
    "--from", "since", type=_FILE, metavar="FILE", help="A checkpoint you hold, or what --save wrote: go on there."
)
@click.option("--save", type=_FILE, metavar="FILE", help="Where to keep how far this came, if all is well.")
@click.option("--chain", is_flag=True, help="Chain and checkpoints only: faster, no line is read for what it says.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Processes that work at it; one a core if left out.")
@click.option("--anchors", is_flag=True, help="Ask the anchors what they hold, instead of this host's receipts.")
@click.option("--proof", type=_FILE, metavar="FILE", help="Check this proof of one line instead, with the key alone.")
@click.option("--line", "line_file", type=_FILE, metavar="FILE", help="The line, where the proof does not hold it.")
def verify(
    path: Path | None,
    key: str | None,
    since: Path | None,
    save: Path | None,
    chain: bool,
    jobs: int | None,
    anchors: bool,
    proof: Path | None,
    line_file: Path | None,
    config: Path,
    as_json: bool,
) -> int:
    """Check the audit trail: VERIFIED, or what is wrong and where.

    PATH is a trail's live file, its folder, a pack that `stepup audit export` wrote, or s3://bucket/prefix for what was
    shipped there; left out, the configuration names it. The key comes from --key, else from the configuration where
    there is one, never from the audit folder. With PATH and --key no configuration is needed.

    Where the configuration has anchors, what they hold is shown, the trail has to continue it, and the unanchored end
    is counted from there. A bucket's word is this host's own receipt unless --anchors asks the bucket itself.

    Exit codes: 0 verified; 2 tampered; 3 incomplete (a torn end, a gap, no checkpoints); 4 too much of the end is under
    no checkpoint yet; 5 could not be checked.
    """
    whole = {"--from": since, "--save": save, "--chain": chain, "--anchors": anchors}
    if proof is not None:
        _refuse_unused("with --proof", {"a PATH": path, **whole})
    else:
        _refuse_unused("without --proof", {"--line": line_file})
    loaded = _config(path, key, config, needed=proof is None)
    vkey = name_key(key, path, config) if key is not None else find_keys(loaded, config) if loaded is not None else None
    if proof is not None:
        from .proof import check_proof

        return check_proof(proof, line_file, vkey, as_json=as_json)
    processes, place = jobs or os.cpu_count() or 1, places.bucket_of(path)
    if place is not None:
        _refuse_unused("with a bucket", whole)
        return _verify_stored(place, loaded, vkey, processes, as_json=as_json)
    target = path if path is not None else _configured(loaded)
    refuse_key_inside(target, key)
    refuse_key_inside(target, str(since) if since is not None else None)
    options: dict[str, Any] = {"since": since, "save": save, "parse": not chain, "processes": processes}
    own = loaded if loaded is not None and is_own(path, loaded.settings.trail.path) else None
    evidence = places.find_evidence(own.settings, vkey, online=anchors) if own is not None else []
    if own is not None:
        options["held"] = [*find_held(own), *(places.held_by(evidence) if evidence else ())]
    if loaded is not None and not evidence:
        options |= _limits(loaded)
    return _verify_here(target, vkey, options, own, evidence, as_json=as_json)


def _refuse_unused(where: str, given: Mapping[str, object]) -> None:
    """Who is told VERIFIED is to know that what they gave was looked at."""
    for name, value in given.items():
        if value:
            raise click.UsageError(f"{name} has no meaning {where}")


def _verify_here(
    target: Path,
    vkey: str | None,
    options: Mapping[str, Any],
    own: Config | None,
    evidence: Sequence[Evidence],
    *,
    as_json: bool,
) -> int:
    """Verify files of this machine; ``evidence`` is what the anchors of its ``own`` trail say."""
    from ..trail.verify import verify_trail

    begun = time.monotonic()
    with progress("verifying", wanted=not as_json) as advance:
        report = verify_trail(target, vkey=vkey, progress=advance, **options)
    if own is None or not evidence:
        return _tell(target, report, vkey, begun, None, {}, as_json=as_json)
    report = places.judge(report, evidence, own.settings.trail)
    beside = {"anchors": [places.evidence_json(item) for item in evidence]}
    return _tell(target, report, vkey, begun, ("anchored", places.evidence_text(evidence)), beside, as_json=as_json)


def _verify_stored(
    place: tuple[str, str], loaded: Config | None, vkey: str | None, processes: int, *, as_json: bool
) -> int:
    """Verify what a bucket holds."""
    begun = time.monotonic()
    stored = places.verify_stored(place, loaded, vkey, processes, wanted=not as_json)
    told, beside = ("bucket", places.stored_text(stored)), {"stored": places.stored_json(stored)}
    return _tell(f"s3://{'/'.join(place)}", stored.report, vkey, begun, told, beside, as_json=as_json)


def _limits(config: Config) -> dict[str, int | None]:
    trail = config.settings.trail
    return {"max_unanchored_lines": trail.max_unanchored_lines, "max_unanchored_s": trail.max_unanchored_s}


def _tell(
    target: Path | str,
    report: Report,
    vkey: str | None,
    begun: float,
    told: tuple[str, str] | None,
    beside: Mapping[str, Any],
    *,
    as_json: bool,
) -> int:
    """Show the report, and what was learnt ``beside`` it (``told``, for a person); gives the exit code."""
    if as_json:
        say_json({**verdict_json(target, report, keyed=vkey is not None), **beside})
    else:
        show(target, report, told, keyed=vkey is not None, took_s=time.monotonic() - begun)
    return report.exit_code


def _config(path: Path | None, key: str | None, config: Path, *, needed: bool) -> Config | None:
    """The configuration; nothing where none is needed and there is none."""
    if (path is not None or not needed) and (key is not None or not config.exists()):
        return None
    return service.read(config, secret=False)


def _configured(config: Config | None) -> Path:
    if config is None:
        raise CommandError("no PATH, and no configuration to name one", CANNOT_VERIFY)
    return config.settings.trail.path
