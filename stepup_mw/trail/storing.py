"""Makes durable what was written, and tells those who wait for that: at once, or beside the writing of what comes next.

What a failed sync leaves in doubt is never taken for stored: it is written again elsewhere, or its waiters are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import TrailUnavailable
from .syncing import Batch
from .waiting import release

if TYPE_CHECKING:
    from .backlog import Backlog
    from .inbox import Inbox
    from .ledger import Ledger
    from .waiting import Entry

_MAX_UNSYNCED = 1000
"""Records that nobody waits for and that may go without a sync."""


class Storing:
    """Of one writer, and in its thread."""

    def __init__(self, ledger: Ledger, backlog: Backlog, inbox: Inbox) -> None:
        self._ledger = ledger
        self._backlog = backlog
        self._inbox = inbox
        self._syncer = ledger.syncer
        self._unsynced: list[bytes] = []
        self._handed_over = False

    @property
    def waits(self) -> bool:
        """Whether there is anything of which it is not known that it is durable."""
        return bool(self._unsynced or self._handed_over)

    def store(self, bodies: list[bytes], waiting: list[Entry]) -> None:
        """These closed records stand in the file. Have them synced if anybody waits for it or there are many."""
        self._unsynced += bodies
        if not waiting and len(self._unsynced) <= _MAX_UNSYNCED:
            return
        if self._beside(waiting):
            return
        failure = self._sync()
        if failure is None:
            release(waiting, None)
        else:
            self._backlog.fail(waiting, failure, again=True)

    def mend(self) -> None:
        """Write again elsewhere what was handed over and is in doubt, and what nobody waits for with it, or after a
        rotation whose sync failed."""
        doubt, failed = self._syncer.take_doubt(), self._ledger.failed
        batches, said = (doubt.batches, doubt.error) if doubt is not None else ([], failed)
        bodies = [body for batch in batches for body in batch.bodies] + self._unsynced
        entries = [entry for batch in batches for entry in batch.entries]
        if said is None or not bodies:
            return
        self._unsynced = []
        failure = self._again(bodies, said)
        if failure is None:
            release(entries, None)
        else:
            self._backlog.fail(entries, failure, again=True)

    def settle(self) -> None:
        """Nothing else is to be done: sync what nobody waits for."""
        if self._unsynced:
            count, failure = len(self._unsynced), self._sync()
            if failure is not None:
                self._backlog.losses.add(lost=max(0, count - self._backlog.unsure()), refused=0, why=str(failure))
        if self._handed_over and not self._syncer.busy and self._syncer.wait() is None:
            self._handed_over = False
            self._backlog.synced()

    def close(self) -> None:
        """Finish what was handed over."""
        self._syncer.close()
        self.mend()

    def _beside(self, waiting: list[Entry]) -> bool:
        """Hand over, where enough waits to be written meanwhile, or must not overtake what was handed over before."""
        if not (self._syncer.busy or self._inbox.full):
            return False
        self._inbox.gather()
        if not self._syncer.hand_over(Batch(self._unsynced, waiting)):
            self._inbox.rest()
            return False
        self._unsynced, self._handed_over = [], True
        return True

    def _sync(self) -> Exception | None:
        """Make durable what was written; if the system says it cannot, write it again elsewhere."""
        unsynced, self._unsynced = self._unsynced, []
        try:
            self._ledger.sync()
        except OSError as failed:
            failure = self._again(unsynced, failed)
            if failure is not None:
                return failure
        except TrailUnavailable as error:
            return error
        self._backlog.synced()
        return None

    def _again(self, bodies: list[bytes], failed: OSError) -> Exception | None:
        try:
            self._ledger.again(bodies, failed)
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody may wait for ever or be told it was written
            return error
        return None
