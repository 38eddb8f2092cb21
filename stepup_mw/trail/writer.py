"""The one thread of a process that writes its audit lines: everything queued while it syncs goes out in the next write.

Where much is queued, it is chained and written while the lines before it are being synced (``storing``). Waiters are
released together after the sync, one wake-up for each event loop. What could not be written is refused to those who
wait, and counted for those who do not; the count is the first thing written afterwards.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

from ..errors import NoteError, TrailUnavailable
from .backlog import Backlog
from .files import say_unwritten
from .inbox import Inbox
from .ledger import Ledger
from .marks import is_mark
from .packing import Packer
from .signing import Signing
from .storing import Storing
from .waiting import Entry, close_all, release

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..note import Checkpoint
    from ..settings import TrailSettings
    from .checkpoints import Signed
    from .marks import Marks

_VITAL_S = 5.0
_LAST_S = 2.0
"""How long the last checkpoint of a process waits for another that is signing: of many that end together, the one that
ends last covers the lines of all."""

_TICK_S = 0.5
"""How soon what nobody waits for is synced, and checkpoints and gaps are looked after."""


class Writer:
    """One life of the writing thread. ``close`` ends it for good."""

    def __init__(
        self, settings: TrailSettings, service: str, marks: Marks, on_checkpoint: Callable[[Signed], None] | None = None
    ) -> None:
        self._settings = settings
        self._marks = marks
        self._inbox = Inbox()
        self._ledger = Ledger(settings, marks, self._inbox.rest)
        self._signing = Signing(settings, service, marks, self._on_record, on_checkpoint)
        self._packer = Packer(settings, self._ledger.layout, lambda why: self._on_record(marks.compress(why)))
        self._wrote_at, self._opened = marks.clock(), False
        self._backlog = Backlog(marks, self._ledger.layout)
        self._storing = Storing(self._ledger, self._backlog, self._inbox)
        self._vital_at, self._watch_at = 0.0, float("inf")
        self._late: list[bytes] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stepup-trail", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, entry: Entry) -> bool:
        """Queue an entry. False if this writer is closing; TrailUnavailable if the queue is full: ``count_lost`` says
        what became of it."""
        return self._inbox.offer(entry)

    def count_lost(self, lines: int, why: str, *, refused: bool = False) -> None:
        """Remember lines that were never queued and will not be written: they happened, or were ``refused``."""
        self._inbox.skip(lines)
        self._backlog.losses.add(lost=0 if refused else lines, refused=lines if refused else 0, why=why)

    def rotate(self) -> Any:
        """For the writer's thread: seal the live file now."""
        sealed = self._ledger.rotate()
        self._opened = self._opened or sealed is not None
        return sealed

    def checkpoint(self) -> Checkpoint | None:
        """For the writer's thread: sign what there is now."""
        self._commit([], [])
        return self._signing.now()

    def close(self) -> None:
        """Write what is queued, ``audit/stop`` and a checkpoint; return when the thread has ended."""
        self._inbox.close()
        self._ended.wait()  # not join: in Python 3.11 one that is interrupted takes the thread to have ended

    def abandon(self) -> None:
        """Let go of the files. In a forked child the thread, the queue and the files belong to the parent."""
        self._ledger.close()
        self._signing.close()
        self._backlog.close()

    def _run(self) -> None:
        try:
            while True:
                entries, closing = self._inbox.take(self._patience)
                if entries:
                    self._work(entries)
                elif closing:
                    break
                self._tend(idle=not entries)
            self._finish()
        finally:
            self._ended.set()

    def _patience(self) -> float:
        """Seconds until there may be something to do though nobody asks; -1 for never."""
        disk = self._opened and (self._ledger.disk.stage == "full" or not self._ledger.disk.looked)
        if self._storing.waits or self._backlog.waits or disk or self._signing.has_new(self._ledger):
            return _TICK_S
        return max(_TICK_S, self._signing.beat_s / 10) if self._beats else -1

    @property
    def _beats(self) -> bool:
        """Whether silence is sealed: only where something was ever written, and there is a key to sign with."""
        return self._opened and self._settings.signing_key_file is not None

    def _work(self, entries: list[Entry]) -> None:
        """Write all records of the entries, then run their tasks in order."""
        writing = self._backlog.drop([entry for entry in entries if entry.task is None], self._ledger.disk.stage)
        if writing:
            self._commit(close_all(writing, self._marks.close), writing)
        for entry in entries:
            if entry.task is not None:
                self._perform(entry)

    def _perform(self, entry: Entry) -> None:
        try:
            result = entry.task() if entry.task is not None else None
        except (OSError, NoteError, TrailUnavailable) as error:
            told = say_unwritten(self._settings.path, error) if isinstance(error, OSError) else str(error)
            release([entry], told)
        else:
            release([entry], None, result)

    def _commit(self, bodies: list[bytes], entries: list[Entry], *, vital: bool = False) -> None:
        """Write, release those who wait for the write, have the rest made durable."""
        self._storing.mend()
        owed = self._backlog.bodies()
        try:
            self._ledger.append([*owed, *bodies], vital=vital)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may wait for ever or be told it was written
            self._backlog.fail(entries, error)
            return
        self._opened = True
        self._wrote_at = self._marks.clock()
        self._backlog.written()
        self._marks.n = max([self._marks.n, *(item.number + len(item.records) - 1 for item in entries if item.records)])
        release([entry for entry in entries if not entry.synced], None)
        waiting = [entry for entry in entries if entry.synced and entry.future is not None]
        self._storing.store([*owed, *bodies], waiting)

    def _tend(self, *, idle: bool) -> None:
        """What is due though nobody waits for it."""
        self._storing.mend()
        self._backlog.settle(self._ledger.disk.stage)
        if idle and (self._backlog or self._ledger.disk.stage == "full"):
            self._pay()
        if idle:
            self._storing.settle()
        if idle and self._beats and not 0 <= self._marks.clock() - self._wrote_at < self._signing.beat_s:
            self._beat()
        if self._opened and self._signing.is_due(self._ledger):
            self._signing.begin(self._ledger)
        if self._opened:
            self._backlog.adopt(self.offer)
            self._watch()
            self._packer.tend(self._ledger.rotations)

    def _pay(self) -> None:
        """Write what is owed; on a full disk now and then into the room that is kept for it."""
        self._commit([], [])
        now = time.monotonic()
        if self._backlog and self._ledger.disk.stage == "full" and now - self._vital_at >= _VITAL_S:
            self._vital_at = now
            self._commit([], [], vital=True)

    def _watch(self) -> None:
        """Look after the disk now and then, busy or not, but not in the first moment of a process that may be short."""
        now = time.monotonic()
        if now >= self._watch_at:
            with contextlib.suppress(OSError, TrailUnavailable):  # what is wrong shows at the next line
                self._ledger.watch_disk()
        if now >= self._watch_at or self._watch_at == float("inf"):
            self._watch_at = now + _TICK_S

    def _beat(self) -> None:
        """Nothing was written for long: say so, and so let a checkpoint seal the silence. Of many idle processes one
        does it, since the others find its line."""
        silent_s = round(max(0.0, self._marks.clock() - self._wrote_at))
        self._wrote_at = self._marks.clock()
        with contextlib.suppress(OSError, TrailUnavailable):  # what is wrong shows at the next line
            self._ledger.beat(self._marks.mark("heartbeat", {"silent_s": silent_s}))

    def _on_record(self, record: bytes) -> None:
        """Queue a line about a checkpoint, kept where there is no room for it; what comes while this writer closes is
        written at its end."""
        try:
            if not self.offer(Entry([record], synced=False, spooled=True)):
                self._late.append(record)
        except TrailUnavailable as error:
            self.count_lost(1, str(error))

    def _take_late(self, only: str = "") -> Entry:
        """What came about checkpoints since this writer is closing, numbered."""
        records, self._late = [record for record in self._late if not only or is_mark(record, only)], []
        return Entry(records, synced=False, number=self._inbox.skip(len(records)))

    def _finish(self) -> None:
        self._storing.close()
        self._packer.close()
        self._signing.wait()
        self._backlog.settle(self._ledger.disk.stage, ending=True)
        if self._opened:
            late = self._take_late()
            last = [*close_all([late], self._marks.close), self._marks.stop(self._inbox.numbered)]
            self._commit(last, [late], vital=self._ledger.disk.stage == "full")
            self._storing.settle()
            self._signing.now(_LAST_S)
            late = self._take_late(only="io_error")
            if late.records:
                self._commit(close_all([late], self._marks.close), [late])
        self.abandon()
