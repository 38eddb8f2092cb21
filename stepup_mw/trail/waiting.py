"""Who waits for a line, and how they are told: one wake-up for each event loop, whatever the number of waiters."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import TrailUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future


@dataclass(slots=True, eq=False)
class Entry:
    """Records that belong together, or a ``task`` for the writer's thread. ``future`` is None if nobody waits;
    ``synced``: release it after the sync, not after the write. ``number``: that of the first record, see ``Marks``.
    ``spooled`` and ``info``: the class of its records, closed if neither, see ``backlog``."""

    records: Sequence[bytes]
    future: asyncio.Future[Any] | Future[Any] | None = None
    loop: asyncio.AbstractEventLoop | None = None
    synced: bool = True
    task: Callable[[], Any] | None = None
    number: int = 0
    spooled: bool = False
    info: bool = False


def close_all(entries: Iterable[Entry], close: Callable[[bytes, int], bytes]) -> list[bytes]:
    """All records of the entries in order, each closed with its number."""
    return [close(record, number) for entry in entries for number, record in enumerate(entry.records, entry.number)]


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
