"""Reads a whole trail and says whether every line is in its place, by the chain, the tree and the checkpoints.

Streams in constant memory, never writes, takes the key from the caller and never from the audit folder. Any bytes end
in a report: what is malformed is a finding, not an exception.
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import NoteError, TrailUnavailable
from .notes import read_vkeys
from .pruned import Start, find_start, missing_front
from .reading import Cuts, read_pieces
from .report import (
    EMPTY,
    FORK,
    GAP,
    NO_INTEGRITY_DATA,
    RANK,
    SHRUNK,
    TAMPERED,
    TORN_TAIL,
    UNANCHORED_TAIL,
    UNREADABLE,
    VERIFIED,
    VERIFIED_FROM,
    Finding,
    LastCheckpoint,
    Report,
    seconds_between,
)
from .seals import Seals
from .sources import skip_to
from .trusted import Trusted, format_held, read_held
from .views import find_view
from .walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..note import Vkey
    from .sources import View
    from .trusted import Held


def verify_trail(
    path: str | os.PathLike[str],
    *,
    vkey: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    max_unanchored_lines: int | None = None,
    max_unanchored_s: int | None = None,
    held: Sequence[Held] = (),
    since: Path | None = None,
    save: Path | None = None,
    parse: bool = True,
    processes: int = 1,
) -> Report:
    """Check the trail at ``path``, its live file or its folder, or a pack that ``export_pack`` made.

    ``vkey``: the verifier key, or a file that holds one a line; with it checkpoints are required and their signatures
    checked. ``progress`` is called with the bytes done and the bytes in all. ``held``: checkpoints the trail has to
    continue. ``since``: a file with one, kept from an earlier verification; where it can, checking goes on from there.
    ``save``: where to keep one, if all is well. ``parse=False``: chain and checkpoints only. ``processes``: how many
    work at it, where the trail is large. Raises nothing.
    """
    try:
        keys = read_vkeys(vkey) if vkey is not None else ()
        view = find_view(Path(path))
    except (TrailUnavailable, NoteError, OSError, ValueError) as error:
        return _unreadable(error)
    try:
        check = _Verification(view, keys, held, since, rooted=save is not None)
        check.run(progress, parse=parse, processes=processes)
        report = check.report((max_unanchored_lines, max_unanchored_s))
        if save is not None and report.exit_code == 0:
            check.save(save)
    except (TrailUnavailable, NoteError, OSError) as error:
        return _unreadable(error)
    finally:
        view.close()
    return report


def _unreadable(error: Exception) -> Report:
    return Report(verdict=UNREADABLE, findings=(Finding(verdict=UNREADABLE, why=str(error)),), events={})


class _Verification:
    """``rooted``: roots are wanted though no checkpoint asks for one."""

    def __init__(
        self, view: View, keys: Sequence[Vkey], held: Sequence[Held], since: Path | None, *, rooted: bool
    ) -> None:
        self._view = view
        self._keys = keys
        self._parsed = self._whole = True
        self._done = 0
        self._beginning = ""
        self._sources = view.sources
        resumed = read_held(since, view.layout.live, keys) if since is not None else None
        start = self._start(resumed)
        trusted = Trusted([*held, *([resumed] if resumed is not None else [])], start.seq)
        wanted = view.notes is not None or rooted or bool(trusted.sizes or keys)
        self._walk = Walk(start, start.range.copy() if start.known and wanted else None, Seals(view, keys), trusted)
        self._first = start.seq
        self._known = start.known
        if resumed is not None and resumed.start is start:
            root = b64encode(start.range.root()).decode()
            self._walk.seals.last = LastCheckpoint(size=start.seq, root=root, time=None)

    def _start(self, resumed: Held | None) -> Start:
        """Where checking begins; what is in front of it is left out."""
        start = self._view.start or find_start(self._sources)
        if resumed is not None and resumed.start is not None and resumed.start.seq > start.seq:
            rest = skip_to(self._sources, resumed.start.seq)
            if rest is not None:
                self._sources = rest
                self._beginning = f"the {resumed.start.seq} before it were checked earlier: {resumed.where}"
                return resumed.start
        if start.seq and start.known:
            self._beginning = f"the {start.seq} before it are not here, and the hashes that stand for them fit"
        return start

    def run(self, progress: Callable[[int, int], None] | None, *, parse: bool, processes: int) -> None:
        """Go through all lines; ``report`` says what came of it."""
        self._parsed = parse
        walk, total = self._walk, sum(source.size for source in self._sources)
        walk.findings += [
            Finding(verdict=TAMPERED, why=f"the compressed file cannot be read: {source.broken}", file=source.name)
            for source in self._sources
            if source.broken
        ]
        if not self._known:
            walk.findings.append(missing_front(self._sources, walk.size))
        if walk.tree is not None:
            walk.seals.begin(walk.tree)
            walk.trusted.check(walk.tree)
        cuts = Cuts(self._view, walk.trusted.sizes) if walk.tree is not None else None
        try:
            for source, task, piece in read_pieces(self._sources, cuts, parse=parse, processes=processes):
                good = walk.take(source, task, piece) if piece is not None else None
                if good is None:
                    good = walk.look(source, task, live=source.name == self._live_name())
                self._done += task.size
                if progress is not None:
                    progress(self._done, total)
                if not good:
                    self._whole = False
                    break
        finally:
            if cuts is not None:
                cuts.close()
            walk.seals.close()
        self._conclude()

    def _live_name(self) -> Path | None:
        return self._view.live.name if self._view.live is not None else None

    def save(self, path: Path) -> None:
        """Keep how far this one came. TrailUnavailable if it cannot be written."""
        if self._walk.tree is not None:
            origin = self._keys[0].name if self._keys else ""
            try:
                path.write_bytes(format_held(origin, self._walk.tree, self._walk.leaf))
            except OSError as error:
                raise TrailUnavailable(f"all is well, but {path} cannot be written: {error.strerror}") from None

    def _conclude(self) -> None:
        """What only the whole shows, and what should be there and is not."""
        walk = self._walk
        if not any(item.verdict == TAMPERED for item in walk.findings) and walk.tree is not None:
            walk.seals.finish(walk.size)
            if self._whole:
                walk.trusted.finish(walk.size)
        walk.findings += [item for item in (walk.seals.finding, walk.trusted.finding) if item is not None]
        self._files()
        if walk.size:
            self._told()
            self._sealed()

    def _files(self) -> None:
        view, layout, walk = self._view, self._view.layout, self._walk
        if not walk.size and not walk.findings:
            walk.findings.append(Finding(verdict=EMPTY, why=f"{layout.live} has no lines"))
        elif not view.partial and (view.live is None or (view.live.size == 0 and view.segments)):
            cut = layout.fresh.exists()
            why = "a rotation was cut off: the next start finishes it" if cut else "the live file is missing or empty"
            walk.findings.append(Finding(verdict=TORN_TAIL if cut else SHRUNK, why=why, file=layout.live))

    def _told(self) -> None:
        """What the lines themselves say is wrong."""
        told, last = self._walk.told, self._walk.seals.last
        if told.gap is not None:
            seq, lost = told.gap
            why = f"the trail records lines that were not written: {lost} here"
            self._walk.findings.append(Finding(verdict=GAP, why=why, seq=seq))
        holes = told.counters.holes()
        if holes:
            why = f"{holes} records have a number, and neither a line nor a record of their loss"
            self._walk.findings.append(Finding(verdict=GAP, why=why))
        if told.fork is not None and (last is None or told.fork[0] >= last.size):
            seq, why = told.fork
            self._walk.findings.append(Finding(verdict=FORK, why=f"the signer refused to go on: {why}", seq=seq))

    def _sealed(self) -> None:
        """Checkpoints that the key asks for, or that the trail itself tells of."""
        size = self._walk.seals.last.size if self._walk.seals.last is not None else 0
        told = self._walk.told.checkpoint
        why = "no checkpoint" if self._keys and not size else ""
        if not why and told > size and not self._view.partial:
            why = f"the checkpoint of {told} lines that the trail tells of is not there"
        reached = not any(item.verdict == TAMPERED for item in self._walk.findings)
        if why and self._known and reached:
            finding = Finding(verdict=NO_INTEGRITY_DATA, why=why, file=self._view.layout.notes)
            self._walk.findings.append(finding)

    def report(self, limits: tuple[int | None, int | None]) -> Report:
        """The gravest finding decides."""
        walk, last, first = self._walk, self._walk.seals.last, self._first
        behind = walk.size - (last.size if last is not None else first)
        seconds = seconds_between((last.time if last is not None else None) or walk.first_time, walk.time)
        if any(limit is not None and value > limit for limit, value in zip(limits, (behind, seconds), strict=True)):
            why = f"{behind} lines over {seconds:.0f} seconds are under no checkpoint yet"
            walk.findings.append(Finding(verdict=UNANCHORED_TAIL, why=why))
        ranked = sorted(walk.findings, key=lambda item: RANK.index(item.verdict))
        return Report(
            verdict=ranked[0].verdict if ranked else VERIFIED_FROM if first else VERIFIED,
            findings=tuple(ranked),
            lines=walk.size - first,
            bytes=self._done,
            files=len(self._sources),
            signed=bool(self._keys) and last is not None,
            checkpoints=walk.seals.count,
            checkpoint=last,
            root=b64encode(walk.tree.root()).decode() if walk.size and walk.tree is not None else None,
            unanchored_lines=behind,
            unanchored_s=seconds,
            max_unanchored_lines=limits[0],
            max_unanchored_s=limits[1],
            lost_lines=walk.told.lost,
            missing_lines=walk.told.counters.holes(),
            first_seq=first,
            beginning=self._beginning,
            parsed=self._parsed,
            events=dict(walk.told.events),
        )
