"""Makes lines durable beside the writer, which chains and writes the next ones meanwhile.

One sync at a time, for all that was handed over before it. What the system could not store it reports once (fsync(2)),
so after a failure nothing is synced here any more: what was handed over is in doubt, until the writer writes it again
elsewhere.
"""

from __future__ import annotations

import errno
import os
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from .waiting import release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .waiting import Entry


class Batch(NamedTuple):
    """Closed records that stand in the file, and who waits until they are durable."""

    bodies: list[bytes]
    entries: list[Entry]


class Doubt(NamedTuple):
    """Batches, oldest first, of which nobody knows whether they are durable, and what the system said."""

    batches: list[Batch]
    error: OSError


class Syncer:
    """Batches come from one thread. ``sync``: returns once all that was written is durable. ``on_rest``: called, in the
    thread of this object, whenever nothing is left to sync, with whether anything is in doubt; must neither wait nor
    raise."""

    def __init__(self, sync: Callable[[], None], on_rest: Callable[[bool], None]) -> None:
        self._sync = sync
        self._on_rest = on_rest
        self._queue: SimpleQueue[Batch | None] = SimpleQueue()
        self._pid = os.getpid()
        self._rest = threading.Condition()
        self._left = 0
        self._doubt: Doubt | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether anything that was handed over is neither durable nor in doubt."""
        return self._left > 0

    def hand_over(self, batch: Batch) -> bool:
        """Sync it as soon as what came before it is, and release those who wait for it. False where nothing can be done
        beside the caller any more: the interpreter is ending."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="stepup-sync", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
        with self._rest:
            self._left += 1
        self._queue.put(batch)
        return True

    def wait(self) -> OSError | None:
        """Return when nothing is under way: then the file may be closed. Gives what was said if anything is in doubt.
        In a forked child there is nothing to wait for: the thread is the parent's."""
        if self._pid != os.getpid():
            return None
        with self._rest:
            self._rest.wait_for(lambda: self._left == 0)
            return self._doubt.error if self._doubt is not None else None

    def take_doubt(self) -> Doubt | None:
        """What is in doubt, once nothing is under way; it is the caller's then, and syncing begins anew."""
        if self._doubt is None:
            return None
        self.wait()
        doubt, self._doubt = self._doubt, None
        return doubt

    def close(self) -> None:
        """Finish what was handed over, and end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batches = [first, *self._waiting()]
            self._settle(batches)
            with self._rest:
                self._left -= len(batches)
                at_rest = self._left == 0
                self._rest.notify_all()
            if at_rest:
                self._on_rest(self._doubt is not None)

    def _waiting(self) -> Iterator[Batch]:
        """What else is there by now. The end, which is not one, is put back for later: nothing comes after it."""
        while True:
            try:
                batch = self._queue.get_nowait()
            except Empty:
                return
            if batch is None:
                self._queue.put(None)
                return
            yield batch

    def _settle(self, batches: list[Batch]) -> None:
        if self._doubt is None:
            try:
                self._sync()
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody may wait for ever
                self._doubt = Doubt(batches, error if isinstance(error, OSError) else OSError(errno.EIO, str(error)))
            else:
                release([entry for batch in batches for entry in batch.entries], None)
        else:
            self._doubt.batches.extend(batches)
