"""One event loop in a thread of this process, for those who have none: WSGI requests, and the housekeeping.

Made at first use and made anew after a fork: threads do not survive one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")


class Driver:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = -1
        self._portal: BlockingPortal | None = None
        self._context: AbstractContextManager[BlockingPortal] | None = None

    def call(self, call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run an async callable to its end from a thread that has no loop."""
        return self.portal().call(call, *arguments)

    def portal(self) -> BlockingPortal:
        """The portal of this process."""
        portal = self._portal
        if portal is not None and self._pid == os.getpid():
            return portal
        return self._start()

    def _start(self) -> BlockingPortal:
        pid = os.getpid()
        if self._pid != pid:
            self._lock = threading.Lock()  # a lock held by another thread at the fork would never be let go
        with self._lock:
            if self._pid != pid or self._portal is None:
                self._context = start_blocking_portal(name="stepup-mw")
                self._portal = self._context.__enter__()
                self._pid = pid
            return self._portal

    def close(self) -> None:
        """End the loop and its thread; a later call starts them again."""
        context, portal, pid = self._context, self._portal, self._pid
        self._portal = self._context = None
        self._pid = -1
        if context is not None and portal is not None and pid == os.getpid():
            portal.call(portal.stop, True)  # cancels what runs for ever
            context.__exit__(None, None, None)
