"""Couriers: they carry notices to where the app wants them. One file a destination.

Handing a notice over never waits and never raises. Each destination has a queue of bounded length and a thread of its
own, made at first use and anew after a fork, so that one that hangs holds up neither a request nor the others. What
could not be delivered is on record.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from ..errors import NoticeError
from ..notices import Notice

MAX_WAITING = 256
"""Notices in line for one destination; further ones are dropped, and the count of them is on record."""

RETRY_AFTER_S = (0.5, 4.0)
"""Pauses before a second and a third try, where another try can help."""

Record = Callable[[str, str, Mapping[str, Any]], None]
"""Puts an event on record: its type, its phase, its detail."""

_log = logging.getLogger("stepup_mw")
_rounds: weakref.WeakSet[_Round] = weakref.WeakSet()


class Destination(Protocol):
    name: str

    def deliver(self, notice: Notice) -> None:
        """Deliver, within bounded time. NoticeError where that failed."""
        ...


class Courier:
    """All destinations of one app in one process; ``kinds`` are the notices that are wanted."""

    def __init__(
        self,
        destinations: Collection[Destination],
        kinds: Collection[str],
        record: Record,
        *,
        retry_after_s: Sequence[float] = RETRY_AFTER_S,
    ) -> None:
        self._rounds = tuple(_Round(destination, record, retry_after_s) for destination in destinations)
        self._kinds = frozenset(kinds)

    def hand_over(self, notice: Notice) -> None:
        if notice.kind in self._kinds:
            for one in self._rounds:
                one.take(notice)

    def close(self, *, within_s: float = 5.0) -> None:
        """Wait a while for what is in line; what is still there then is recorded as lost."""
        until = time.monotonic() + within_s
        for one in self._rounds:
            one.close(until)


class _Round:
    """One destination's line and its thread."""

    def __init__(self, destination: Destination, record: Record, retry_after_s: Sequence[float]) -> None:
        self._retry_after_s = retry_after_s
        self._destination = destination
        self._record = record
        self._lock = threading.Lock()
        self._pid = -1
        self._line: queue.Queue[Notice | None] = queue.Queue(MAX_WAITING)
        self._dropped = 0
        _rounds.add(self)

    def start_again(self) -> None:
        """In a forked child: the lock may be held by a thread that is not here."""
        self._lock = threading.Lock()
        self._pid = -1

    def take(self, notice: Notice) -> None:
        if self._pid != os.getpid():
            self._begin()
        try:
            self._line.put_nowait(notice)
        except queue.Full:
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:  # the 1st, 2nd, 4th, 8th …: a flood must not flood the trail
                self._lost(notice, "queue_full", dropped=self._dropped)

    def close(self, until: float) -> None:
        if self._pid != os.getpid():
            return
        try:
            self._line.put(None, timeout=max(0.0, until - time.monotonic()))
            self._ended.wait(max(0.0, until - time.monotonic()))  # not join: see ``Writer.close``
        except queue.Full:
            pass
        self._pid = -1
        while not self._line.empty():
            left = self._line.get_nowait()
            if left is not None:
                self._lost(left, "closed")

    def _begin(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._line, self._dropped = queue.Queue(MAX_WAITING), 0  # a parent's line is the parent's to deliver
            self._ended = threading.Event()
            arguments = self._line, self._ended
            threading.Thread(target=self._run, args=arguments, name="stepup-notices", daemon=True).start()
            self._pid = os.getpid()

    def _run(self, line: queue.Queue[Notice | None], ended: threading.Event) -> None:
        while (notice := line.get()) is not None:
            self._deliver(notice)
        ended.set()

    def _deliver(self, notice: Notice) -> None:
        for tries, pause_s in enumerate((*self._retry_after_s, None), 1):
            try:
                self._destination.deliver(notice)
                return
            except NoticeError as error:
                if not error.passing or pause_s is None:
                    self._lost(notice, str(error), tries=tries)
                    return
                time.sleep(pause_s)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next notice must still be delivered
                self._lost(notice, type(error).__name__, tries=tries)
                return

    def _lost(self, notice: Notice, why: str, **more: Any) -> None:
        name = self._destination.name
        _log.warning("a notice (%s) was not delivered to %s: %s", notice.kind, name, why)
        detail = {"to": name, "kind": notice.kind, "notice_id": notice.notice_id, "why": why[:200], **more}
        self._record("alert", "notice_failed", detail)


def _forked() -> None:
    for one in list(_rounds):
        one.start_again()


os.register_at_fork(after_in_child=_forked)
