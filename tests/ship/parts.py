"""A trail with checkpoints, and a lane from it to an anchor."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from stepup_mw.note import parse_vkey
from stepup_mw.settings import AnchorSettings, TrailSettings
from stepup_mw.ship import Lane
from stepup_mw.trail import Trail

from ..trail.parts import SERVICE, record, settings, vkey


def with_anchors(folder: Path, *anchors: AnchorSettings, **changes: Any) -> TrailSettings:
    """The settings of the trail in ``folder``, signed only when a test says so."""
    options = {"checkpoint_every_s": 86_400, "checkpoint_lines": 100_000, "anchors": anchors, **changes}
    return settings(folder, signed=True, **options)


def write(folder: Path, batches: int, *, each: int = 7, rotate: bool = False, clock: Any = time.time) -> TrailSettings:
    """So many batches of lines, a checkpoint after each; with ``rotate`` each sealed as a segment too."""
    found = with_anchors(folder)
    trail = Trail(found, service=SERVICE, clock=clock)
    for batch in range(batches):
        trail.append_blocking([record(f"{batch}-{number}", note="x" * 40) for number in range(each)])
        if rotate:
            trail.rotate_now()
        trail.checkpoint_now()
    trail.close()
    return found


def lane(found: TrailSettings, anchor: AnchorSettings, **options: Any) -> Lane:
    return Lane(dataclasses.replace(found, anchors=(anchor,)), anchor, SERVICE, time.time, **options)


def public_key(folder: Path) -> bytes:
    return parse_vkey(vkey(folder)).public
