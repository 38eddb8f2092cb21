"""The audit trail as the gate and the command use it: append and wait, or post and go on.

Any event loop and any thread may call it, before and after a fork; nothing is opened before the first use.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

from ..chain import is_record
from ..encoding import format_timestamp, parse_timestamp
from ..errors import TrailUnavailable
from .locks import require_locks
from .marks import ROOM, Marks, event_of
from .recent import recent_lines
from .unended import unended_lines
from .waiting import Entry, Ticket
from .writer import Writer
from .zst import load_zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from ..note import Checkpoint
    from ..settings import TrailSettings
    from .checkpoints import Signed

_TRAILS: weakref.WeakSet[Trail] = weakref.WeakSet()


class Trail:
    """One chain of lines in the files that ``settings`` name, shared with every other process that does the same."""

    def __init__(
        self,
        settings: TrailSettings,
        *,
        service: str,
        clock: Callable[[], float],
        random: Callable[[int], bytes] = os.urandom,
        on_checkpoint: Callable[[Signed], None] | None = None,
    ) -> None:
        """Opens nothing. Unsupported where the system has no file locks, MissingExtra where nothing compresses.

        ``on_checkpoint`` is called, in a thread of the trail's, with each checkpoint that this process signs, once it
        is durable. It must neither wait nor raise; what it misses (another process signed) a ``Cursor`` finds.
        """
        require_locks()
        if settings.compress == "zstd":
            load_zstd()
        self._settings = settings
        self._service = service
        self._clock = clock
        self._random = random
        self._on_checkpoint = on_checkpoint
        self._mutex = threading.Lock()
        self._writer: Writer | None = None
        _TRAILS.add(self)

    async def append(self, records: Sequence[bytes], *, wait: bool = True, spooled: bool = False) -> None:
        """Add records, in order and with nothing between them; returns when they are as durable as configured.

        ``commit``: on stable storage; ``write``: written; ``async``, or ``wait=False``: queued. TrailUnavailable if
        that cannot be had; then none of them counts. ``spooled``: lines about what is stopped anyway; where they cannot
        be written now they are kept, and written as soon as they can, and that is as good. Being cancelled while
        waiting does no harm: they are written.
        """
        _check(records)
        durability = self._settings.durability
        if not wait or durability == "async":
            self._submit(Entry(records, synced=False, spooled=spooled))
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        entry = Entry(records, future, loop, durability == "commit", spooled=spooled)
        self._submit(entry, refused=not spooled)
        await future

    def append_blocking(self, records: Sequence[bytes]) -> None:
        """``append`` for a thread without an event loop."""
        _check(records)
        durability = self._settings.durability
        if durability == "async":
            self._submit(Entry(records, synced=False))
            return
        ticket = Ticket()
        self._submit(Entry(records, ticket, None, durability == "commit"))
        ticket.result()

    def post(self, records: Sequence[bytes], *, info: bool = False) -> None:
        """Add records some time soon. Never waits and never raises for want of room: what cannot be written is
        counted, and the count is put on record (``audit/gap``). ``info``: lines that only inform, which are not even
        tried where the disk is nearly full."""
        try:
            _check(records)
        except TrailUnavailable as error:
            (self._writer or self._begin()).count_lost(len(records), str(error))
        else:
            with contextlib.suppress(TrailUnavailable):  # counted
                self._submit(Entry(records, synced=False, info=info), refused=False)

    async def recent(self, users: Collection[str], *, limit: int) -> list[dict[str, Any]]:
        """At most ``limit`` lines that name one of ``users``, newest first. TrailUnavailable if they cannot be read."""
        try:
            return await asyncio.to_thread(recent_lines, self._settings.path, users, limit=limit)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TrailUnavailable(f"the trail cannot be read: {error.strerror}") from None

    async def unended(self, *, since: float, until: float) -> list[dict[str, Any]]:
        """The ``challenge/issued`` lines of that time (Unix seconds) without an outcome, oldest first.
        TrailUnavailable if they cannot be read."""
        first, last = format_timestamp(since), format_timestamp(until)
        try:
            return await asyncio.to_thread(unended_lines, self._settings.path, since=first, until=last)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise TrailUnavailable(f"the trail cannot be read: {error.strerror}") from None

    def rotate_now(self) -> Path | None:
        """Seal the live file and begin another; blocks. Gives the sealed segment, None if there was none to seal."""
        return cast("Path | None", self._ask(lambda writer: writer.rotate))

    def checkpoint_now(self) -> Checkpoint | None:
        """Sign what is written now; blocks. None without a signing key, or if nothing is new, or another process
        is signing."""
        return cast("Checkpoint | None", self._ask(lambda writer: writer.checkpoint))

    def close(self) -> None:
        """Write what is queued, an ``audit/stop`` line and a checkpoint; blocks. A later use starts anew. Where it is
        interrupted, another ``close`` goes on waiting."""
        writer = self._writer
        if writer is not None:
            writer.close()
            self._forget(writer)

    def _ask(self, task: Callable[[Writer], Callable[[], Any]]) -> Any:
        ticket = Ticket()
        entry = Entry((), ticket)
        while True:
            writer = self._writer or self._begin()
            entry.task = task(writer)
            if writer.offer(entry):
                return ticket.result()
            self._forget(writer)

    def _submit(self, entry: Entry, *, refused: bool = True) -> None:
        while True:
            writer = self._writer or self._begin(entry.records)
            try:
                if writer.offer(entry):
                    return
            except TrailUnavailable as error:
                writer.count_lost(len(entry.records), str(error), refused=refused)
                raise
            self._forget(writer)

    def _begin(self, first: Sequence[bytes] = ()) -> Writer:
        with self._mutex:
            if self._writer is None:
                marks = Marks(self._service, self._clock, self._random, _made_at(first))
                writer = Writer(self._settings, self._service, marks, self._on_checkpoint)
                writer.start()
                self._writer = writer
            return self._writer

    def _forget(self, writer: Writer) -> None:
        with self._mutex:
            if self._writer is writer:
                self._writer = None

    def _after_fork(self) -> None:
        """In the child: the writer is the parent's, and a lock may be held by a thread that is not here."""
        self._mutex = threading.Lock()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()


def _made_at(records: Sequence[bytes]) -> float:
    """When the first of the records was made, Unix seconds; infinity where none says so."""
    said = event_of(records[0]).get("timestamp") if records else None
    try:
        return parse_timestamp(said) if isinstance(said, str) else float("inf")
    except ValueError:
        return float("inf")


def _check(records: Sequence[bytes]) -> None:
    for record in records:
        if not is_record(record, ROOM):
            raise TrailUnavailable("a record that is not one JSON object on one line, or too long for an audit line")


def _forked() -> None:
    for trail in list(_TRAILS):
        trail._after_fork()  # noqa: SLF001 - same module


def _exiting() -> None:
    for trail in list(_TRAILS):
        trail.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
atexit.register(_exiting)
