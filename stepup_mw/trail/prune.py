"""Removes the oldest sealed segments, on request only, when they are older than ``audit.retain`` says.

In this order, and never further than the last step that held: the whole trail is verified; what goes is exported and
the export verified; a line for each segment goes into the trail, which stands for it from then on; a checkpoint is
signed over those lines; then the files go, the oldest first. A cut anywhere leaves a trail that verifies.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .. import events
from ..chain import leaf_hash, parse_opening
from ..encoding import format_uuid7, parse_timestamp
from ..errors import NoteError, TrailUnavailable
from ..events import MAX_LINE
from .cursors import Cursor
from .ending import read_ending
from .files import Layout, open_regular, sync_folder
from .marks import event_of
from .notes import last_checkpoint
from .packs import export_pack
from .pruned import describe_start, find_start
from .recovery import sealed_tip
from .sources import segment, take_view
from .verify import verify_trail
from .zst import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..settings import TrailSettings
    from .files import Sealed
    from .packs import Packed
    from .report import Report
    from .sources import Source
    from .trail import Trail
    from .trusted import Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The segments that may go, with ``lines`` and ``bytes`` in them; ``size``: the lines up to their end. ``refused``:
    why none may; ``kept``: why others that are old enough may not yet."""

    segments: tuple[Sealed, ...] = ()
    lines: int = 0
    bytes: int = 0
    size: int = 0
    refused: str = ""
    kept: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What pruning works with: the trail's writer, its verifier keys (one a line), what the signer remembers."""

    trail: Trail
    service: str
    vkey: str
    held: Sequence[Held]
    clock: Callable[[], float]
    random: Callable[[int], bytes]
    patience_s: float = 10.0
    """How long a checkpoint may take, where another process is signing."""


def plan_prune(settings: TrailSettings, *, now: float) -> Plan:
    """What may go now. OSError or TrailUnavailable if the trail cannot be read."""
    layout = Layout(settings.path)
    refused = _refusal(settings, layout)
    if refused or settings.retain_s is None:
        return Plan(refused=refused)
    old = _older(layout, now - settings.retain_s)
    if not old:
        return Plan()
    ends = {item.index: _end_of(layout, item) for item in old}
    limit, why = _backed(settings, layout)
    going = tuple(item for item in old if ends[item.index] <= limit)
    kept = f"{len(old) - len(going)} more are old enough, but {why}" if len(going) < len(old) else ""
    if not going:
        return Plan(kept=kept)
    size = ends[going[-1].index]
    total = sum(item.path.stat().st_size for item in going)
    return Plan(segments=going, lines=size - going[0].first_seq, bytes=total, size=size, kept=kept)


def prune(
    settings: TrailSettings,
    plan: Plan,
    archive: Path,
    tools: Tools,
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Carry out a plan. TrailUnavailable or OSError, and no segment removed, if a step does not hold."""
    layout = Layout(settings.path)
    _require(verify_trail(settings.path, vkey=tools.vkey, held=tools.held, progress=progress), "the trail")
    packed = export_pack(settings.path, archive, last_seq=plan.size - 1, progress=progress)
    checked = verify_trail(archive, vkey=tools.vkey)
    _require(checked, f"the export {archive}")
    if packed.first_seq > plan.segments[0].first_seq or packed.first_seq + checked.lines != plan.size:
        raise TrailUnavailable(f"{archive} does not hold the lines that are to go")
    records = _records(layout, plan, packed, tools)
    for start in range(0, len(records), 100):
        tools.trail.append_blocking(records[start : start + 100])
    _sign(layout, tools)
    refused = _refusal(settings, layout)  # somebody may have asked for a hold meanwhile
    if refused:
        raise TrailUnavailable(refused)
    for sealed in plan.segments:
        for form in (sealed.path, sealed.path.with_name(sealed.path.name + SUFFIX)):  # it may be compressed by now
            form.unlink(missing_ok=True)
        sync_folder(layout.segments)
    return packed


def _refusal(settings: TrailSettings, layout: Layout) -> str:
    if os.path.lexists(layout.hold):
        return f"a legal hold is in force: {layout.hold} stands there"
    if settings.retain_s is None:
        return "audit.retain is not set: everything is kept"
    if settings.signing_key_file is None:
        return "audit.signing_key_file is not set: without checkpoints nothing could show what was removed"
    return ""


def _older(layout: Layout, before: float) -> list[Sealed]:
    """The sealed segments all of whose lines are of before that time: whose successor begins before it."""
    sealed = layout.sealed()
    following = [*(item.path for item in sealed[1:]), layout.live]
    old = []
    for item, successor in zip(sealed, following, strict=True):
        if _begins(successor) >= before:
            break
        old.append(item)
    return old


def _begins(path: Path) -> float:
    """When a file begins; never, for one that does not say."""
    try:
        with segment(path).open() as stream:
            return parse_timestamp(str(event_of(stream.readline(MAX_LINE)).get("timestamp")))
    except (OSError, TrailUnavailable, ValueError, OverflowError):
        return float("inf")


def _end_of(layout: Layout, sealed: Sealed) -> int:
    """The number of the first line after a segment, as the next file says it."""
    after = [item.path for item in layout.sealed() if item.index > sealed.index]
    with segment(after[0] if after else layout.live).open() as stream:
        place = parse_opening(stream.readline(MAX_LINE))
    if place is None:
        raise TrailUnavailable(f"the file after {sealed.path} does not begin with an audit line: see `stepup verify`")
    return place.seq


def _backed(settings: TrailSettings, layout: Layout) -> tuple[int, str]:
    """Lines that a checkpoint covers and every anchor has, and what is said of those beyond."""
    try:
        last = last_checkpoint(layout.notes)
    except NoteError:
        last = None
    limit, why = (last[1].size if last is not None else 0), "no checkpoint covers them yet"
    for anchor in settings.anchors:
        place = Cursor(settings.path, anchor.name).read()
        if anchor.acknowledges and place.size < limit:
            limit, why = place.size, f"the anchor {anchor.name} does not have them yet"
        if "segments" in anchor.what and anchor.kind == "s3":
            firsts = [item.first_seq for item in layout.sealed() if item.index > place.segment]
            if firsts and firsts[0] < limit:
                limit, why = firsts[0], f"the anchor {anchor.name} does not have their segments yet"
    return limit, why


def _require(report: Report, what: str) -> None:
    if report.exit_code not in (0, 4):
        raise TrailUnavailable(f"{what} does not verify ({report.verdict}): {report.message}. Nothing was removed")


def _records(layout: Layout, plan: Plan, packed: Packed, tools: Tools) -> list[bytes]:
    """One for each segment, with what stands for all lines up to its end."""
    view = take_view(layout)
    try:
        start = find_start(view.sources)
        tree, leaf, records = start.range.copy(), start.leaf, []
        for source, sealed in zip(view.segments, plan.segments, strict=False):
            first = tree.size
            leaf = _hash_on(source, tree.append, leaf)
            now = tools.clock()
            detail = {
                "segment": sealed.path.name,
                "first_seq": first,
                "last_seq": tree.size - 1,
                **describe_start(tree, leaf),
                "archive": packed.path.name,
                "archive_sha256": packed.sha256,
            }
            event_id = format_uuid7(now, tools.random(10))
            records.append(
                events.other("audit", "pruned", now=now, event_id=event_id, service=tools.service, detail=detail)
            )
        return records
    finally:
        view.close()


def _hash_on(source: Source, append: Callable[[bytes], None], leaf: bytes) -> bytes:
    with source.open() as stream:
        while raw := stream.readline(MAX_LINE + 1):
            leaf = leaf_hash(raw[:-1])
            append(leaf)
    return leaf


def _sign(layout: Layout, tools: Tools) -> None:
    """A checkpoint over everything written so far; another process may be at it."""
    until, wanted = time.monotonic() + tools.patience_s, _lines(layout)
    while True:
        tools.trail.checkpoint_now()
        last = last_checkpoint(layout.notes)
        if last is not None and last[1].size >= wanted:
            return
        if time.monotonic() > until:
            raise TrailUnavailable("no checkpoint could be signed over the record of the removal: nothing was removed")
        time.sleep(0.1)


def _lines(layout: Layout) -> int:
    fd = open_regular(layout.live, os.O_RDONLY)
    try:
        tip = read_ending(fd, os.fstat(fd).st_size).tip
    finally:
        os.close(fd)
    return (tip or sealed_tip(layout)).seq
