"""Connections to the server: one client for each running event loop of this process, and every fault of theirs.

A step is asked once: the client retries nothing, a step that was lost may have happened, and the caller refuses.
Every fault, and every answer that is not there in time, is a StoreUnavailable; the next step connects anew.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from ...errors import MissingExtra, StoreUnavailable
from ..lives import Life
from ..loops import Deadlines, PerLoop
from .life import Lives
from .location import Location
from .names import Names
from .scripts import OFTEN, SELDOM, Script, script

T = TypeVar("T")
Word = str | bytes | int

_FAULTS = (OSError, EOFError, ValueError, LookupError, TypeError)
"""What the sockets, and answers that are not ours, lead to; with them every error of the client."""


@dataclass(slots=True)
class _Live:
    """The client of one event loop. ``turn``: how many connections it may use at once. ``deadlines``: of the steps.
    ``mending``: what puts a server that was lost in order; it goes on while steps give up waiting for it."""

    client: Any
    turn: asyncio.Semaphore
    first: asyncio.Lock
    deadlines: Deadlines
    mending: asyncio.Task[None] | None = None


class Connections:
    """MissingExtra where redis-py is not installed. Connects at the first step."""

    def __init__(self, location: Location, lives: Lives) -> None:
        try:
            from redis.exceptions import (  # noqa: PLC0415 - an extra, and 300 ms
                NoScriptError,
                RedisClusterException,
                RedisError,
            )

            from .clients import (  # noqa: PLC0415
                Doubtful,
                ask,
                ask_cluster,
                close_client,
                evicted_by,
                look_at_server,
                open_client,
            )
        except ImportError as error:
            raise MissingExtra("a redis:// store", "redis", "redis") from error
        self.location = location
        self.cluster = location.topology == "cluster"
        self.life = Names(location.prefix).life
        self._lives = lives
        self._open, self._close = open_client, close_client
        self._no_script, self._doubtful = NoScriptError, Doubtful
        self._faults = (*_FAULTS, RedisError, RedisClusterException)  # which is no RedisError
        self._look, self._evicted_by = look_at_server, evicted_by
        self._ask_once = ask_cluster if self.cluster else ask
        self._looked_in = self._sure_in = -1

        def make() -> _Live:
            client = open_client(location, lives.look)
            turn, deadlines = asyncio.Semaphore(location.connections), Deadlines(location.timeout_s)
            return _Live(client, turn, asyncio.Lock(), deadlines)

        self._loops = PerLoop(make, lambda live: close_client(live.client), timeout_s=location.timeout_s)

    async def run(
        self,
        name: str,
        keys: Sequence[str],
        *words: Word,
        read: Callable[[Any], T],
        acknowledged: bool = False,
    ) -> T:
        """Run one script and read its answer. ``acknowledged``: so many replicas as the URL asks for must have it."""
        uses_up = name in OFTEN or name in SELDOM
        if not uses_up or self.cluster:
            answer = await self._run(script(name), keys, words, read, acknowledged=acknowledged)
            if uses_up and name in SELDOM:
                await self.call("HINCRBY", self.life, "spent", 1, read=self._spent)
            return answer
        raised, answer = await self._run(
            script(name, counted=True),
            (*keys, self.life),
            words,
            lambda found: (found[0], read(found[1])),
            acknowledged=acknowledged,
        )
        self._spent(raised)
        return answer

    async def _run(
        self, found: Script, keys: Sequence[str], words: Sequence[Word], read: Callable[[Any], T], *, acknowledged: bool
    ) -> T:
        tail = (len(keys), *keys, *words)
        wait = self.location.wait if acknowledged else 0

        async def ask(client: Any) -> Any:
            try:
                return await self._ask(client, wait, "EVALSHA", found.sha, *tail)
            except self._no_script:
                return await self._ask(client, wait, "EVAL", found.text, *tail)

        return await self._within_time(found, ask, read)

    def _spent(self, count: int) -> None:
        try:
            self._lives.spent(count)
        except OSError as error:
            raise StoreUnavailable(f"{self.location}: {error}") from error

    async def look(self) -> Life:
        """The life, held against what is remembered; on a Cluster it has come one further for that."""
        return await self._within_time(None, self._look_at_all, lambda life: life)

    async def _look_at_all(self, client: Any) -> Life:
        """Also at what the servers say of themselves."""
        life = await self._look_at_life(client)
        return await self._lives.note_evictions(client.execute_command, life, await self._evicted_by(client))

    async def _look_at_life(self, client: Any) -> Life:
        if self.cluster and await client.execute_command("HEXISTS", self.life, "name"):
            await client.execute_command("HINCRBY", self.life, "spent", 1)
        life = await self._lives.look(client.execute_command)
        if life is None:
            raise self._doubtful
        return life

    async def call(self, *words: Word, read: Callable[[Any], T], acknowledged: bool = False) -> T:
        """Run one command and read its answer."""
        wait = self.location.wait if acknowledged else 0
        return await self._within_time(None, lambda client: self._ask(client, wait, *words), read)

    async def _within_time(self, found: Script | None, ask: Callable[[Any], Any], read: Callable[[Any], T]) -> T:
        try:
            live = await self._loops.get()
            with live.deadlines.begin():
                if self.cluster:
                    await self._begin_on_cluster(live)
                async with live.turn:
                    answer = read(await self._surely(live, ask))
        except self._faults as error:
            self._sure_in = -1
            what = f"{found.name}: " if found else ""
            raise StoreUnavailable(f"{self.location}: {what}{_reason(error)}") from error
        if self._looked_in != os.getpid():
            await self._look_once(live)
        return answer

    async def _begin_on_cluster(self, live: _Live) -> None:
        async with live.first:  # a crowd that learns the slots at once would cut each other off
            await live.client.initialize()
            if self._sure_in != os.getpid():
                await self._surely(live, self._look_at_life)
                self._sure_in = os.getpid()

    async def _surely(self, live: _Live, ask: Callable[[Any], Any]) -> Any:
        """Ask; where a new connection leads to a server that lost what it knew, put that in order and ask then."""
        try:
            return await ask(live.client)
        except self._doubtful:
            if live.mending is None or live.mending.done():
                live.mending = asyncio.create_task(self._mend())
                live.mending.add_done_callback(_took_note)
            await asyncio.shield(live.mending)
            return await ask(live.client)

    async def _mend(self) -> None:
        client = self._open(self.location)
        try:
            await self._lives.mend(client.execute_command)
        finally:
            await self._close(client)

    async def _look_once(self, live: _Live) -> None:
        self._looked_in = os.getpid()
        with suppress(*self._faults):
            async with asyncio.timeout(self.location.timeout_s), live.turn:
                await self._look(live.client, self.location)

    async def _ask(self, client: Any, wait: int, *words: Word) -> Any:
        if not wait:
            return await self._ask_once(client, *words)
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command(*words)
        pipeline.execute_command("WAIT", wait, int(self.location.timeout_s * 250))
        answer, acknowledged = await pipeline.execute(raise_on_error=False)
        for found in (answer, acknowledged):
            if isinstance(found, Exception):
                raise found
        if acknowledged < wait:
            raise OSError(f"{acknowledged} of {wait} replicas have acknowledged")
        return answer

    async def aclose(self) -> None:
        """Close the connections of every loop of this process. A later step opens new ones."""
        await self._loops.aclose()


def _took_note(task: asyncio.Task[None]) -> None:
    """Whoever waits for it is told; nobody need."""
    if not task.cancelled():
        task.exception()


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else f"{type(error).__name__}: no answer in time"
