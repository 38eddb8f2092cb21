"""What waits for the writer: entries in order, their records numbered, and when it is worth waking the writer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..errors import TrailUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .waiting import Entry

MAX_QUEUED = 10_000
"""Records that may wait for the writer; more are refused."""

_LINGER_S = 0.005
"""How long lines that nobody waits for are gathered: to wake this thread for each costs more than to write it."""

WORTH = 32
"""So many records are worth a write of their own while those before them are being synced; fewer are gathered until
that is over."""


class Inbox:
    """Filled by any thread, emptied by one. ``numbered``: records that have got a number so far, see ``Marks``."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self._asleep = False
        self._lingering = False
        self._urgent = False
        self._gathering = False
        self._rousing: asyncio.AbstractEventLoop | None = None
        self._closing = False
        self._entries: list[Entry] = []
        self._queued = 0
        self.numbered = 0

    def offer(self, entry: Entry) -> bool:
        """Queue an entry and number its records. False if nobody will take it any more; TrailUnavailable if there is
        no room."""
        with self._mutex:
            if self._closing:
                return False
            if self._queued + len(entry.records) > MAX_QUEUED:
                raise TrailUnavailable(f"{self._queued} audit lines are waiting to be written")
            self._entries.append(entry)
            self._queued += len(entry.records)
            entry.number = self.numbered + 1
            self.numbered += len(entry.records)
            if entry.loop is not None:
                self._rouse_after_this_turn(entry.loop)
            elif entry.future is not None:
                self._rouse()
            elif self._asleep and not self._lingering:
                self._release()
        return True

    def _rouse_after_this_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """With the mutex held: wake the thread when the loop has run all that is ready, so that one turn's requests go
        out together and the thread does not fight the loop for the interpreter."""
        if self._rousing is not loop:
            self._rousing = loop
            loop.call_soon(self._turned)

    def _turned(self) -> None:
        with self._mutex:
            self._rousing = None
            self._rouse()

    def _rouse(self) -> None:
        self._urgent = True
        if self._asleep and self._ready():
            self._release()

    def _ready(self) -> bool:
        """Whether what is there is to be taken at once."""
        return self._closing or (self._urgent and not (self._gathering and self._queued < WORTH))

    @property
    def full(self) -> bool:
        """Whether what is there is worth a write of its own while what was taken before is being synced."""
        return self._queued >= WORTH

    def gather(self) -> None:
        """What was taken is being synced, until ``rest``."""
        with self._mutex:
            self._gathering = True

    def rest(self, urgent: bool = False) -> None:
        """Nothing is being synced any more. ``urgent``: wake the one who empties this though nothing waits in it."""
        with self._mutex:
            self._gathering = False
            if urgent or self._urgent:
                self._rouse()

    def _release(self) -> None:
        self._asleep = False
        self._wake.release()

    def skip(self, count: int) -> int:
        """Give numbers to records that never get here. Gives the first."""
        with self._mutex:
            self.numbered += count
            return self.numbered - count + 1

    def close(self) -> None:
        """Take nothing more, and wake the one who empties it."""
        with self._mutex:
            self._closing = True
            if self._asleep:
                self._release()

    def take(self, patience: Callable[[], float]) -> tuple[list[Entry], bool]:
        """What is there, once it is worth it or ``patience`` seconds (-1: any time) are over, and whether it was
        closed."""
        with self._mutex:
            if self._ready():
                return self._taken()
            self._lingering = bool(self._entries)
            self._asleep = True
        self._wake.acquire(timeout=_LINGER_S if self._lingering else patience())
        with self._mutex:
            self._asleep = False
            self._wake.acquire(blocking=False)
            if self._entries and not (self._ready() or self._lingering):
                return [], False  # woken by the first of them: gather
            entries, _ = self._taken()
            return entries, False

    def _taken(self) -> tuple[list[Entry], bool]:
        entries, self._entries, self._queued, self._urgent = self._entries, [], 0, False
        return entries, self._closing
