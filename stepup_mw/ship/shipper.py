"""Ships in the background: a thread an anchor, so that one that hangs keeps nothing from the others or from a request.

What goes wrong is tried again for ever, at longer and longer intervals, and stands in the trail once when it begins
(``audit/sink_failed``) and once when it ends (``audit/sink_recovered``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from ..errors import StepUpError
from ..trail.files import Layout, make_folder
from ..trail.locks import FileLock
from .lane import Lane
from .sinks import check_extras
from .window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..settings import TrailSettings
    from .lane import Shipped

    Record = Callable[[str, str, Mapping[str, Any]], None]
    """Takes an event type, its kind and the detail of a line to be written some time soon."""

EVERY_S = 1.0
LONGEST_S = 60.0
TRIES = 3
"""How often in a row an anchor must fail before the trail says so."""

DRAIN_S = 5.0
"""How long a closing service waits for its last checkpoint to be shipped; what is left, the next start ships."""

_log = logging.getLogger("stepup_mw")


class Shipper:
    """One for each process of a service that has anchors. Starts nothing before ``start``; fork-safe."""

    def __init__(
        self,
        settings: TrailSettings,
        service: str,
        *,
        clock: Callable[[], float],
        record: Record,
        every_s: float = EVERY_S,
    ) -> None:
        """MissingExtra where an anchor needs a package that is not there."""
        self.window = Window(settings, clock)
        self._settings = settings
        self._service = service
        self._clock = clock
        self._record = record
        self._every_s = every_s
        check_extras(settings.anchors)
        self._lanes: list[Lane] = []
        self._ended: list[threading.Event] = []
        self._stop = threading.Event()
        self._pid = -1
        self._ending = False

    def start(self) -> None:
        """Begin, once a process."""
        if self._pid == os.getpid():
            return
        self._pid, self._ending = os.getpid(), False
        for lane in self._lanes:
            lane.close()  # what a fork left open belongs to the parent
        self._lanes, self._stop = self._make_lanes(), threading.Event()
        self._ended = [self._thread(f"stepup-ship-{lane.anchor.kind}", self._walk, lane) for lane in self._lanes]
        if self._settings.max_unanchored_lines is not None or self._settings.max_unanchored_s is not None:
            self._ended.append(self._thread("stepup-unanchored", self._watch))

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Close the trail within this: nothing is put on record any more, and its last checkpoint is shipped too, for
        a few seconds at most; what is left then, the next start ships. Blocks; where that is interrupted, another
        goes on waiting."""
        self._ending = True
        try:
            yield
        finally:
            self._close()

    def _close(self) -> None:
        if self._pid != os.getpid():
            return
        self._stop.set()
        until = time.monotonic() + DRAIN_S
        for ended in self._ended:
            ended.wait(max(0.0, until - time.monotonic()))  # not join: see ``Writer.close``
        self._pid, self._ended = -1, []

    def _make_lanes(self) -> list[Lane]:
        settings = self._settings
        return [Lane(settings, anchor, self._service, self._clock) for anchor in settings.anchors]

    def _thread(self, name: str, target: Callable[..., None], *arguments: Any) -> threading.Event:
        """Start a thread. Gives what says that it has ended."""
        ended, stop = threading.Event(), self._stop

        def run() -> None:
            target(*arguments, stop)
            ended.set()

        threading.Thread(target=run, name=name, daemon=True).start()
        return ended

    def _walk(self, lane: Lane, stop: threading.Event) -> None:
        failures = 0
        while not stop.wait(min(LONGEST_S, self._every_s * 2**failures)):
            failures = self._pass(lane, stop, failures)
        self._last_pass(lane)

    def _pass(self, lane: Lane, stop: threading.Event, failures: int) -> int:
        """One try. Gives the number of failures in a row, the exponent of the next wait."""
        try:
            shipped = lane.run(settle=not self._ending, stopping=stop.is_set) if lane.has_news() else None
        except Exception as error:  # noqa: BLE001 - whatever an anchor or its library does, the thread goes on
            self._failed(lane, error, failures + 1)
            return min(failures + 1, 32)
        if shipped is not None and shipped.recovered is not None:
            self._recovered(lane, shipped)
        return 0

    def _last_pass(self, lane: Lane) -> None:
        until = time.monotonic() + DRAIN_S
        try:
            if lane.has_news():
                lane.run(settle=False, stopping=lambda: time.monotonic() > until)
        except Exception as error:  # noqa: BLE001 - as above; the next start ships it
            _log.warning("%s: left for the next start: %s", lane.anchor.name, error)
        lane.close()

    def _failed(self, lane: Lane, error: Exception, failures: int) -> None:
        expected = isinstance(error, (StepUpError, OSError))
        why = str(error) if expected else f"{type(error).__name__}: {error}"
        if failures != TRIES or self._ending:
            return
        _log.error("anchor %s is down: %s", lane.anchor.name, why, exc_info=None if expected else error)
        try:
            failure = lane.fail(why[:300])
        except OSError as problem:
            _log.error("anchor %s: its receipt cannot be written: %s", lane.anchor.name, problem)
            return
        if failure is not None:
            detail = {"sink": lane.anchor.name, "from_seq": failure.from_seq, "why": failure.why}
            self._record("audit", "sink_failed", detail)

    def _recovered(self, lane: Lane, shipped: Shipped) -> None:
        failure = shipped.recovered
        if failure is None:
            return
        _log.warning("anchor %s takes checkpoints again", lane.anchor.name)
        detail = {
            "sink": lane.anchor.name,
            "from_seq": failure.from_seq,
            "to_seq": shipped.size - 1,
            "seconds": round(self._clock() - failure.since, 3),
        }
        self._record("audit", "sink_recovered", detail)

    def _watch(self, stop: threading.Event) -> None:
        """Keep the window measured; one process of the host says so when the limit is passed."""
        layout = Layout(self._settings.path)
        lock, told = FileLock(layout.folder / "anchors" / "window.lock"), False
        while not stop.wait(self._every_s):
            try:
                make_folder(layout.folder / "anchors")
                why = self.window.refresh()
                if why is not None and not told and not self._ending and lock.try_acquire():
                    behind = self.window.measure()
                    detail = {"why": why, "lines": behind.lines, "seconds": round(behind.seconds)}
                    self._record("alert", "unanchored", detail)
                    _log.error("%s", why)
                told = why is not None
            except Exception as error:  # noqa: BLE001 - measuring goes on, whatever a damaged trail does to it
                _log.warning("how much is unanchored cannot be measured: %s", error)
        lock.close()
