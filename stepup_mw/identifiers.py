"""Identifiers for lines and requests: UUIDv7 from the system's random device, drawn in blocks.

One system call an identifier costs more than all the rest of a line. A block is never shared over a fork, so that two
processes never give out the same bytes. Not for keys, nonces or tokens: those ask the device each time.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

from .encoding import VARIANTS, format_uuid7_stamp

_BLOCK = 4000
_EACH = 20
"""Hex digits of noise for one identifier: more than its 74 random bits."""

_sources: weakref.WeakSet[IdentifierSource] = weakref.WeakSet()


class IdentifierSource:
    """``source(now)`` gives a new UUIDv7 for Unix second ``now``. Safe in threads and after a fork."""

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self.renew()
        _sources.add(self)

    def renew(self) -> None:
        """Forget the block and the lock of the parent process."""
        self._lock = threading.Lock()
        self._block = ""
        self._at = 0
        self._millisecond = -1
        self._stamp = ""

    def __call__(self, now: float) -> str:
        with self._lock:
            at = self._at
            if at >= len(self._block):
                self._block, at = self._random(_BLOCK).hex(), 0
            self._at = at + _EACH
            noise = self._block[at : at + _EACH]
            millisecond = int(now * 1000)
            if millisecond != self._millisecond:
                self._millisecond, self._stamp = millisecond, format_uuid7_stamp(millisecond)
            stamp = self._stamp
        return f"{stamp}-7{noise[:3]}-{VARIANTS[noise[19]]}{noise[3:6]}-{noise[6:18]}"


def _renew_all() -> None:
    for source in _sources:
        source.renew()


os.register_at_fork(after_in_child=_renew_all)
