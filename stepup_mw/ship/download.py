"""Verifies a trail from a bucket alone: fetches it into a folder, notices what is missing, and asks the verifier.

The newest checkpoint tells how many lines stood in segments when it was stored; so segments that were removed at the
end are missed too.
"""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..trail.report import GAP, NO_INTEGRITY_DATA, RANK, TAMPERED, Finding, Report
from ..trail.sources import segment
from ..trail.verify import verify_trail
from ..trail.zst import SUFFIX
from .bucket import list_bucket
from .s3 import SEGMENT_LINES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .bucket import Listing, StoredNote, StoredSegment
    from .s3 import Bucket

    Progress = Callable[[int, int], None]

_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What was checked: the ``report`` over the segments, and what the bucket tells beside it. ``signed_lines``: how
    many lines its newest checkpoint covers; those behind the last segment are still in the host's live file."""

    report: Report
    listing: Listing
    signed_lines: int


def verify_bucket(
    bucket: Bucket, prefix: str, folder: Path, *, vkey: str | None, progress: Progress | None = None, processes: int = 1
) -> Stored:
    """Fetch into the empty ``folder`` and verify. AnchorError if the bucket cannot be read.

    Where segments are missing, that no checkpoint fits what is left is no finding of its own.
    """
    listing = list_bucket(bucket, prefix)
    run, findings = _first_run(listing)
    broken = _fetch_segments(bucket, run, folder, progress)
    if broken is not None:
        run = run[: run.index(broken)]
        why = f"{broken.key} does not hold what its name says"
        findings.append(Finding(verdict=TAMPERED, why=why, seq=broken.first))
    lines = run[-1].last + 1 if run else 0
    _fetch_notes(bucket, [note for note in listing.notes if note.size <= lines], folder)
    findings += _cut_off(bucket, listing)
    report = verify_trail(folder / "stepup.jsonl", vkey=vkey, progress=progress, processes=processes)
    names = {path: item.key for path, item in zip(_paths(run, folder), run, strict=True)}
    told = [item for item in report.findings if not (findings and listing.notes and item.verdict == NO_INTEGRITY_DATA)]
    told = [replace(item, file=Path(names.get(item.file, item.file.name))) if item.file else item for item in told]
    ranked = tuple(sorted([*told, *findings], key=lambda item: RANK.index(item.verdict)))
    whole = replace(report, verdict=ranked[0].verdict if ranked else report.verdict, findings=ranked)
    return Stored(report=whole, listing=listing, signed_lines=max((note.size for note in listing.notes), default=0))


def _first_run(listing: Listing) -> tuple[list[StoredSegment], list[Finding]]:
    """The segments from the first on without a hole; and the holes. Where two claim the same lines, the one that was
    stored first counts."""
    run: list[StoredSegment] = []
    findings: list[Finding] = []
    end: int | None = None
    for stored in listing.segments:
        if end is not None and stored.first < end:
            continue
        if end is not None and stored.first > end:
            findings.append(_missing(end, stored.first))
        if not findings:
            run.append(stored)
        end = stored.last + 1
    return run, findings


def _cut_off(bucket: Bucket, listing: Listing) -> list[Finding]:
    """Whether segments are missing at the end: the newest checkpoint says how many lines they held."""
    if not listing.notes:
        return []
    newest = listing.notes[-1]
    head = bucket.call("head_object", Key=newest.key, VersionId=newest.version)
    told = head.get("Metadata", {}).get(SEGMENT_LINES, "0")
    end = listing.segments[-1].last + 1 if listing.segments else 0
    lines = int(told) if told.isascii() and told.isdigit() and len(told) < 19 else 0
    return [_missing(end, lines)] if lines > end else []


def _missing(start: int, stop: int) -> Finding:
    why = f"lines {start} to {stop - 1} were stored, and their segments are not in the bucket any more"
    return Finding(verdict=GAP, why=why, seq=start)


def _paths(run: list[StoredSegment], folder: Path) -> list[Path]:
    """The last one stands in for the live file, which is never in a bucket, and never compressed."""
    if not run:
        return []
    names = [f"{number:06d}-{item.first:012d}.jsonl" for number, item in enumerate(run[:-1], 1)]
    sealed = [
        folder / "segments" / (name + SUFFIX if item.key.endswith(SUFFIX) else name)
        for name, item in zip(names, run, strict=False)
    ]
    return [*sealed, folder / "stepup.jsonl"]


def _fetch_segments(
    bucket: Bucket, run: list[StoredSegment], folder: Path, progress: Progress | None
) -> StoredSegment | None:
    """Gives the first that does not hold what its name says; it is not kept."""
    (folder / "segments").mkdir(parents=True)
    done, total = 0, sum(item.bytes for item in run)
    for item, path in zip(run, _paths(run, folder), strict=True):
        digest = hashlib.sha256()
        with path.open("wb") as stream:
            for block in bucket.read(item.key, item.version):
                stream.write(block)
                digest.update(block)
                done += len(block)
                if progress is not None:
                    progress(done, 2 * total)
        if digest.hexdigest() != item.digest or not _unpacked(item, path):
            path.unlink()
            return item
    return None


def _unpacked(item: StoredSegment, path: Path) -> bool:
    """Where a compressed segment stands in for the live file, put its lines in its place. False if it cannot be."""
    if not item.key.endswith(SUFFIX) or path.suffix == SUFFIX:
        return True
    packed = path.rename(path.with_name(".packed" + SUFFIX))
    source = segment(packed)
    with path.open("wb") as stream:
        if not source.broken:
            with source.open() as lines:
                shutil.copyfileobj(lines, stream)
    packed.unlink()
    return not source.broken and path.stat().st_size == source.size


def _fetch_notes(bucket: Bucket, notes: list[StoredNote], folder: Path) -> None:
    def read(note: StoredNote) -> bytes:
        return b"".join(bucket.read(note.key, note.version))

    with ThreadPoolExecutor(_AT_ONCE) as pool, (folder / "checkpoints.note").open("wb") as stream:
        stream.writelines(pool.map(read, notes))
