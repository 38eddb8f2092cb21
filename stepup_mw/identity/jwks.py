"""Where the keys of an identity provider come from, a URL or a file, and how long they are good.

Keys are read off the event loop, one reading at a time however many wait for it, and anew after a while and for a key
id that is not among them, at a bounded rate. While the place does not answer, the keys at hand go on counting for
``keep_s`` and no longer; after that there are none, which is a doubt (IdentityUnavailable) and never an access.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import IdentityUnavailable, OutboundFailed
from ..outbound import fetch
from .keyset import KeySet, parse_keys

if TYPE_CHECKING:
    from jwt import PyJWK

MAX_BYTES = 256 * 1024

_log = logging.getLogger("stepup_mw")


class Pace(NamedTuple):
    """Seconds. After ``fresh`` the keys are read anew in the background; after twice that a request waits for it.
    ``again``: the least between two readings for an unknown key id; ``retry``: after a reading that failed;
    ``timeout``: for one reading, all told."""

    fresh: float = 300.0
    again: float = 10.0
    retry: float = 5.0
    timeout: float = 5.0


PACE = Pace()


class Held(NamedTuple):
    keys: KeySet
    read_at: float


class KeySource:
    """``location``: an http(s) URL, or the path of a file. ``now``: any clock that only goes forward."""

    def __init__(
        self, location: str, *, keep_s: float, pace: Pace = PACE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._location = location
        self._keep_s = keep_s
        self._pace = pace
        self._now = now
        self._held: Held | None = None
        self._failed_at: float | None = None
        self._reading: tuple[int, Future[Held]] | None = None

    async def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """The key, or None where the provider has none of that id. IdentityUnavailable where that cannot be known."""
        held = await self._current()
        key = held.keys.find(kid, algorithm)
        if key is None and self._now() - held.read_at >= self._pace.again:
            key = (await self._read()).keys.find(kid, algorithm)
        return key

    async def _current(self) -> Held:
        held, now = self._held, self._now()
        if held is None or now - held.read_at >= self._keep_s:
            return await self._read()
        age_s = now - held.read_at
        if age_s < self._pace.fresh:
            return held
        if self._failed_at is None and age_s >= 2 * self._pace.fresh:
            try:
                return await self._read()
            except IdentityUnavailable:
                return held
        self._begin()
        return held

    async def _read(self) -> Held:
        reading = self._begin()
        if reading is None:
            raise IdentityUnavailable(f"the keys of the identity provider are not there: {self._location}")
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(reading)), self._pace.timeout + 1)
        except TimeoutError:
            raise IdentityUnavailable(f"the keys of the identity provider do not come: {self._location}") from None

    def _begin(self) -> Future[Held] | None:
        """The reading under way, or a new one; None where the last one failed a moment ago. A reading that was under
        way when this process was forked off is not its own. Two event loops at once may begin one each; no lock, which
        a fork could leave held."""
        pid = os.getpid()
        if self._reading is not None and self._reading[0] == pid and not self._reading[1].done():
            return self._reading[1]
        if self._failed_at is not None and self._now() - self._failed_at < self._pace.retry:
            return None
        reading: Future[Held] = Future()
        self._reading = (pid, reading)
        threading.Thread(target=self._run, args=(reading,), name="stepup-mw-keys", daemon=True).start()
        return reading

    def _run(self, reading: Future[Held]) -> None:
        try:
            held = Held(parse_keys(self._load()), self._now())
        except (OSError, OutboundFailed, ValueError) as error:
            self._failed_at = self._now()
            _log.warning("the keys of the identity provider cannot be read: %s", error)
            reading.set_exception(IdentityUnavailable(f"the keys of the identity provider cannot be read: {error}"))
            return
        self._held, self._failed_at = held, None
        reading.set_result(held)

    def _load(self) -> bytes:
        if "://" not in self._location:
            with Path(self._location).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise ValueError(f"{self._location} is larger than {MAX_BYTES} bytes")
            return data
        answer = fetch(self._location, accept="application/json", timeout_s=self._pace.timeout, limit=MAX_BYTES)
        if answer.status != 200:
            raise ValueError(f"{self._location} answered {answer.status}")
        return answer.body
