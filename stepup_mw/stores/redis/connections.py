"""Connections to the server: one client for each running event loop of this process, and every fault of theirs.

A step is asked once: the client retries nothing, a step that was lost may have happened, and the caller refuses.
Every fault, and every answer that is not there in time, is a StoreUnavailable; the next step connects anew.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...errors import MissingExtra, StoreUnavailable
from .location import Location
from .scripts import Script, script

T = TypeVar("T")
Word = str | bytes | int

_FAULTS = (OSError, EOFError, ValueError, LookupError, TypeError)
"""What the sockets, and answers that are not ours, lead to; with them every error of the client."""


@dataclass(slots=True)
class _Live:
    """The client of one event loop. ``turn``: how many connections it may use at once."""

    client: Any
    turn: asyncio.Semaphore
    keeper: AsyncGenerator[None, None] = field(init=False)


class _Process:
    """What one process holds open."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.lives: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Live] = weakref.WeakKeyDictionary()
        self.looked = False


_inherited: list[_Process] = []
"""The connections of a parent: to close or collect them here could end its TLS sessions."""


class Connections:
    """MissingExtra where redis-py is not installed. Connects at the first step."""

    def __init__(self, location: Location) -> None:
        try:
            from redis.exceptions import NoScriptError, RedisError  # noqa: PLC0415 - an extra, and 300 ms

            from .clients import close_client, look_at_server, open_client  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtra("a redis:// store", "redis", "redis") from error
        self.location = location
        self.cluster = location.topology == "cluster"
        self._no_script = NoScriptError
        self._faults = (*_FAULTS, RedisError)
        self._open, self._close, self._look = open_client, close_client, look_at_server
        self._process = _Process()

    async def run(
        self,
        name: str,
        keys: Sequence[str],
        *words: Word,
        read: Callable[[Any], T],
        acknowledged: bool = False,
    ) -> T:
        """Run one script and read its answer. ``acknowledged``: so many replicas as the URL asks for must have it."""
        found = script(name)
        tail = (len(keys), *keys, *words)
        wait = self.location.wait if acknowledged else 0

        async def ask(client: Any) -> Any:
            try:
                return await _ask(client, ("EVALSHA", found.sha, *tail), wait, self.location.timeout_s)
            except self._no_script:
                return await _ask(client, ("EVAL", found.text, *tail), wait, self.location.timeout_s)

        return await self._within_time(found, ask, read)

    async def call(self, *words: Word, read: Callable[[Any], T], acknowledged: bool = False) -> T:
        """Run one command and read its answer."""
        wait = self.location.wait if acknowledged else 0
        return await self._within_time(None, lambda client: _ask(client, words, wait, self.location.timeout_s), read)

    async def _within_time(self, found: Script | None, ask: Callable[[Any], Any], read: Callable[[Any], T]) -> T:
        try:
            async with asyncio.timeout(self.location.timeout_s):
                live = await self._live()
                async with live.turn:
                    answer = read(await ask(live.client))
        except self._faults as error:
            what = f"{found.name}: " if found else ""
            raise StoreUnavailable(f"{self.location}: {what}{_reason(error)}") from error
        if not self._process.looked:
            await self._look_once(live)
        return answer

    async def _look_once(self, live: _Live) -> None:
        self._process.looked = True
        with suppress(*self._faults):
            async with asyncio.timeout(self.location.timeout_s), live.turn:
                await self._look(live.client, self.location)

    # The process and its loops

    async def _live(self) -> _Live:
        process = self._process
        if process.pid != os.getpid():
            process = self._renew(process)
        loop = asyncio.get_running_loop()
        live = process.lives.get(loop)
        if live is None:
            live = _Live(self._open(self.location), asyncio.Semaphore(self.location.connections))
            live.keeper = self._keep(process, loop, live)
            with process.lock:
                for other in [other for other in process.lives if other.is_closed()]:
                    del process.lives[other]
                process.lives[loop] = live
            await anext(live.keeper)
        return live

    def _renew(self, inherited: _Process) -> _Process:
        _inherited.append(inherited)
        self._process = _Process()
        return self._process

    async def _keep(
        self, process: _Process, loop: asyncio.AbstractEventLoop, live: _Live
    ) -> AsyncGenerator[None, None]:
        """Waits for the end of its loop: asyncio closes every generator that is still open then."""
        try:
            yield
        finally:
            with process.lock:
                if process.lives.get(loop) is live:
                    del process.lives[loop]
            with suppress(*self._faults):
                async with asyncio.timeout(self.location.timeout_s):
                    await self._close(live.client)

    async def aclose(self) -> None:
        """Close the connections of every loop of this process, each in its own loop. A later step opens new ones."""
        process = self._process
        if process.pid != os.getpid():
            return
        here = asyncio.get_running_loop()
        with process.lock:
            lives = list(process.lives.items())
        for loop, live in lives:
            if loop is here:
                await live.keeper.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(live.keeper.aclose(), loop)
                with suppress(*self._faults, asyncio.CancelledError):
                    async with asyncio.timeout(2 * self.location.timeout_s):
                        await asyncio.wrap_future(closing)


async def _ask(client: Any, words: Sequence[Word], wait: int, timeout_s: float) -> Any:
    if not wait:
        return await client.execute_command(*words)
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command(*words)
    pipeline.execute_command("WAIT", wait, int(timeout_s * 400))
    answer, acknowledged = await pipeline.execute(raise_on_error=False)
    for found in (answer, acknowledged):
        if isinstance(found, Exception):
            raise found
    if acknowledged < wait:
        raise OSError(f"{acknowledged} of {wait} replicas have acknowledged")
    return answer


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else f"{type(error).__name__}: no answer in time"
