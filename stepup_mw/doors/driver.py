"""One event loop in a thread of this process, for those who have none: WSGI requests, and the housekeeping.

Made at first use, once, however many threads ask; and made anew after a fork: threads do not survive one.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")

_drivers: weakref.WeakSet[Driver] = weakref.WeakSet()
_inherited: list[AbstractContextManager[BlockingPortal] | None] = []
"""Portals of a parent process. To let go of one would end it, and that waits for a thread that is not here."""


class Driver:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = -1
        self._portal: BlockingPortal | None = None
        self._context: AbstractContextManager[BlockingPortal] | None = None
        _drivers.add(self)

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
        with self._lock:
            if self._portal is None:
                self._context = start_blocking_portal(name="stepup-mw")
                self._portal = self._context.__enter__()
                self._pid = os.getpid()
            return self._portal

    def close(self) -> None:
        """End the loop and its thread; a later call starts them again."""
        context, portal, pid = self._context, self._portal, self._pid
        self._portal = self._context = None
        self._pid = -1
        if context is not None and portal is not None and pid == os.getpid():
            portal.call(portal.stop, True)  # cancels what runs for ever
            context.__exit__(None, None, None)

    def start_again(self) -> None:
        """In a forked child: the loop is the parent's, and the lock may be held by a thread that is not here."""
        _inherited.append(self._context)
        self._lock = threading.Lock()
        self._portal = self._context = None
        self._pid = -1


def _forked() -> None:
    for driver in list(_drivers):
        driver.start_again()


os.register_at_fork(after_in_child=_forked)
