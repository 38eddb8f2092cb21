"""Who waits for a line, and how they are told: one wake-up for each event loop, whatever the number of waiters."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import TrailUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence


class Ticket:
    """What a thread waits with: settled once, by another thread. A ``concurrent.futures.Future`` would do the same in
    several times the time, for it can be waited for by many."""

    __slots__ = ("_done", "_error", "_result", "_waits")

    def __init__(self) -> None:
        self._waits = threading.Lock()
        self._waits.acquire()
        self._done = False
        self._error: Exception | None = None
        self._result: Any = None

    def done(self) -> bool:
        return self._done

    def set_result(self, result: Any) -> None:
        self._result, self._done = result, True
        self._waits.release()

    def set_exception(self, error: Exception) -> None:
        self._error, self._done = error, True
        self._waits.release()

    def result(self) -> Any:
        """Wait for it, and give it or raise it."""
        with self._waits:
            if self._error is not None:
                raise self._error
            return self._result


@dataclass(slots=True, eq=False)
class Entry:
    """Records that belong together, or a ``task`` for the writer's thread. ``future`` is None if nobody waits;
    ``synced``: release it after the sync, not after the write. ``number``: that of the first record, see ``Marks``.
    ``spooled`` and ``info``: the class of its records, closed if neither, see ``backlog``."""

    records: Sequence[bytes]
    future: asyncio.Future[Any] | Ticket | None = None
    loop: asyncio.AbstractEventLoop | None = None
    synced: bool = True
    task: Callable[[], Any] | None = None
    number: int = 0
    spooled: bool = False
    info: bool = False


def close_all(entries: Iterable[Entry], close: Callable[[Iterable[bytes], int], list[bytes]]) -> list[bytes]:
    """All records of the entries in order, each closed with its number."""
    return [body for entry in entries for body in close(entry.records, entry.number)]


def release(entries: Iterable[Entry], why: str | None, result: Any = None) -> None:
    """Tell those who wait: ``why`` is None when all is well, else it becomes their TrailUnavailable."""
    loops: dict[asyncio.AbstractEventLoop, list[Any]] = {}
    for entry in entries:
        if entry.loop is not None:
            loops.setdefault(entry.loop, []).append(entry.future)
        elif entry.future is not None:
            _settle([entry.future], why, result)
    for loop, futures in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, futures, why, result)


def _settle(futures: list[Any], why: str | None, result: Any) -> None:
    for future in futures:
        if future.done():
            continue
        if why is None:
            future.set_result(result)
        else:
            future.set_exception(TrailUnavailable(why))
