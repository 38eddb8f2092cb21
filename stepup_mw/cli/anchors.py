"""What the shell does with anchors: ship by hand, read a bucket, try its locks, and show what anchors prove."""

# ruff: noqa: PLC0415 (the help of a command must not load the trail)

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import AnchorError, NoteError, StepUpError
from . import service
from .failure import CANNOT_VERIFY, FOUND, CommandError
from .program import command
from .progress import progress
from .screen import fields, paint, safe, say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..config import Config
    from ..settings import AnchorSettings, Settings, TrailSettings
    from ..ship.canary import Canary
    from ..ship.download import Stored
    from ..ship.evidence import Evidence
    from ..ship.lane import Shipped
    from ..trail.report import Report
    from ..trail.trusted import Held

_WAIT_S = 30.0


@command("ship")
@click.option("--anchor", "only", metavar="NAME", help="One of them, by the name that is shown; all if left out.")
def ship(only: str | None, config: Path, as_json: bool) -> int:
    """Send what the anchors have not got: checkpoints, and sealed segments where the configuration says so.

    The service does the same in the background; this is for the first time, after an outage, or where no service runs.
    What was sent stays sent when this is interrupted. Nothing local is deleted. Exit code 1 if an anchor did not take
    everything.
    """
    settings = service.read(config).settings
    anchors = [anchor for anchor in settings.trail.anchors if only in (None, anchor.name)]
    if not anchors:
        names = ", ".join(anchor.name for anchor in settings.trail.anchors)
        raise CommandError(f"no anchor of that name; there are {names}" if names else f"{config} names no anchor")
    results = [_ship(settings, anchor, wanted=not as_json) for anchor in anchors]
    if as_json:
        say_json({"anchors": results})
    for result in () if as_json else results:
        good = result["error"] is None
        sign = paint("✓", "green", bold=True) if good else paint("✗", "red", bold=True)
        sent = f"{result['checkpoints']} checkpoints, {result['segments']} segments sent; has {result['lines']} lines"
        say(f"{sign} {paint(result['anchor'], bold=True)}  {sent if good else safe(result['error'])}")
    return FOUND if any(result["error"] for result in results) else 0


def _ship(settings: Settings, anchor: AnchorSettings, *, wanted: bool) -> dict[str, Any]:
    from ..ship import Lane, read_receipt

    done = 0
    with progress(anchor.name, wanted=wanted) as advance:

        def on_bytes(count: int) -> None:
            nonlocal done
            done += count
            if advance is not None:
                advance(done, max(done, total))

        lane = Lane(settings.trail, anchor, settings.service, time.time, on_bytes)
        try:
            total = lane.outstanding()[1]
            shipped, error = _run(lane.run), None
        except (StepUpError, OSError) as problem:
            shipped, error = None, str(problem)
        finally:
            lane.close()
    return {
        "anchor": anchor.name,
        "kind": anchor.kind,
        "checkpoints": shipped.notes if shipped else 0,
        "segments": shipped.segments if shipped else 0,
        "lines": read_receipt(lane.shelf.receipt).size,
        "error": error,
    }


def _run(run: Callable[[], Shipped | None]) -> Shipped:
    """The service may be shipping at this moment: wait for it to finish its round."""
    until = time.monotonic() + _WAIT_S
    while (shipped := run()) is None:
        if time.monotonic() > until:
            raise AnchorError("the service is shipping to it, and did not finish in time")
        time.sleep(0.1)
    return shipped


def find_evidence(settings: Settings, vkey: str | None, *, online: bool) -> list[Evidence]:
    """What the anchors of a configuration prove; nothing where it has none."""
    if not settings.trail.anchors:
        return []
    from ..ship.evidence import gather
    from ..trail.notes import read_vkeys

    return gather(settings.trail, settings.service, read_vkeys(vkey) if vkey is not None else (), online=online)


def held_by(evidence: Sequence[Evidence]) -> list[Held]:
    """The checkpoints that the trail has to continue."""
    from ..ship.judgement import held_by as held

    return held(evidence)


def judge(report: Report, evidence: Sequence[Evidence], trail: TrailSettings) -> Report:
    """The report with the anchors' word in it."""
    from ..ship.judgement import judge as with_anchors
    from ..trail.files import Layout

    limits = {"lines": trail.max_unanchored_lines, "seconds": trail.max_unanchored_s}
    return with_anchors(report, evidence, Layout(trail.path), **limits)


def evidence_json(item: Evidence) -> dict[str, Any]:
    return {
        "anchor": item.anchor.name,
        "kind": item.anchor.kind,
        "lines": item.checkpoint.size if item.checkpoint else 0,
        "since": _instant(item.at),
        "how": item.how,
        "problem": item.problem or None,
    }


def evidence_text(evidence: Sequence[Evidence]) -> str:
    """A line an anchor: up to which line, since when, and how that is known."""
    return "\n".join(_evidence_line(item) for item in evidence)


def _evidence_line(item: Evidence) -> str:
    name = paint(item.anchor.name, bold=True)
    if item.problem:
        return f"{name}: {paint('proves nothing', 'red')}: {safe(item.problem)}"
    if item.checkpoint is None:
        return f"{name}: {paint('has nothing yet', 'yellow')}"
    return f"{name}: the first {item.checkpoint.size:,} lines, since {_instant(item.at)} ({safe(item.how)})"


def _instant(at: float | None) -> str | None:
    from ..encoding import format_instant

    return format_instant(at) if at is not None else None


def bucket_of(path: Path | None) -> tuple[str, str] | None:
    """``s3://bucket/prefix`` as bucket and prefix; None for a path of this machine. A path has lost a slash by now."""
    if path is None or path.parts[:1] != ("s3:",) or len(path.parts) < 2:
        return None
    prefix = "/".join(path.parts[2:])
    return path.parts[1], f"{prefix}/" if prefix else ""


def verify_stored(
    place: tuple[str, str], config: Config | None, vkey: str | None, jobs: int, *, wanted: bool
) -> Stored:
    """Fetch and verify what a bucket holds, with the anchor's server and region where the configuration has it."""
    from ..settings import AnchorSettings
    from ..ship.download import verify_bucket
    from ..ship.s3 import open_bucket

    name, prefix = place
    known = [anchor for anchor in (config.settings.trail.anchors if config else ()) if anchor.bucket == name]
    anchor = known[0] if known else AnchorSettings(kind="s3", bucket=name)
    try:
        with tempfile.TemporaryDirectory(prefix="stepup-") as folder, progress("verifying", wanted=wanted) as advance:
            return verify_bucket(open_bucket(anchor), prefix, Path(folder), vkey=vkey, progress=advance, processes=jobs)
    except (AnchorError, NoteError, OSError) as error:
        raise CommandError(str(error), CANNOT_VERIFY) from None


def stored_json(stored: Stored) -> dict[str, Any]:
    listing = stored.listing
    return {
        "signed_lines": stored.signed_lines,
        "segments": len(listing.segments),
        "notes": len(listing.notes),
        "later_versions": listing.later,
        "hidden": listing.hidden,
    }


def stored_text(stored: Stored) -> str:
    listing = stored.listing
    text = f"{len(listing.segments)} segments, {len(listing.notes)} checkpoints"
    text += f"; the newest covers {stored.signed_lines:,} lines" if listing.notes else ""
    if listing.later:
        text += f"\n{paint(f'{listing.later} versions were put over others', 'yellow')}: the first of each was read"
    if listing.hidden:
        text += (
            f"\n{paint(f'{listing.hidden} objects are behind a delete marker', 'yellow')}: they were read all the same"
        )
    return text


def check_worm(settings: Settings, *, as_json: bool) -> int:
    """Try every bucket of the configuration. Exit code 1 if one is not write-once."""
    from ..note import origin_of
    from ..ship.canary import try_bucket

    anchors = [anchor for anchor in settings.trail.anchors if anchor.kind == "s3"]
    if not anchors:
        raise CommandError('the configuration has no [[audit.anchor]] of kind = "s3"')
    tried = [try_bucket(anchor, origin_of(settings.service), os.urandom) for anchor in anchors]
    if as_json:
        say_json({"worm": all(canary.worm for canary in tried), "buckets": [_canary_json(canary) for canary in tried]})
    for canary in () if as_json else tried:
        _show_canary(canary)
    return 0 if all(canary.worm for canary in tried) else FOUND


def _canary_json(canary: Canary) -> dict[str, Any]:
    return {
        "bucket": canary.bucket,
        "worm": canary.worm,
        "canary": canary.key,
        "until": _instant(canary.until),
        "trials": [{"way": trial.way, "held": trial.held, "answer": trial.answer} for trial in canary.trials],
    }


def _show_canary(canary: Canary) -> None:
    good = canary.worm
    verdict = "keeps its locks" if good else "is NOT write-once: what is stored in it can be deleted or changed"
    sign = paint("✓", "green", bold=True) if good else paint("✗", "red", bold=True)
    say(f"{sign} {paint(safe(canary.bucket), bold=True)} {verdict}")
    rows = [(trial.way, f"{'held' if trial.held else paint('DONE', 'red', bold=True)}: {safe(trial.answer, 200)}")
            for trial in canary.trials]  # fmt: skip
    say(fields(rows))
    say(fields([("canary", f"{safe(canary.key)}, yours to delete after {_instant(canary.until)}")]))
