"""Identifiers for lines and requests: UUIDv7 from the system's random device, drawn in blocks.

One system call an identifier costs more than all the rest of a line. A block is never shared over a fork, so that two
processes never give out the same bytes. Not for keys, nonces or tokens: those ask the device each time.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

from .encoding import format_uuid7_noise, format_uuid7_stamp

_BLOCK = 256
"""Identifiers whose random part is drawn and spelt at once."""
_EACH = 10
"""Bytes of noise for one: more than its 74 random bits."""

_sources: weakref.WeakSet[IdentifierSource] = weakref.WeakSet()


class IdentifierSource:
    """``source(now)`` gives a new UUIDv7 for Unix second ``now``. Safe in threads and after a fork."""

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self.renew()
        _sources.add(self)

    def renew(self) -> None:
        """Forget what the parent process has drawn."""
        self._noise: list[str] = []
        self._stamp = (-1, "")

    def __call__(self, now: float) -> str:
        millisecond = int(now * 1000)
        known, stamp = self._stamp
        if millisecond != known:
            stamp = format_uuid7_stamp(millisecond)
            self._stamp = (millisecond, stamp)
        try:
            return stamp + self._noise.pop()  # one step, so that no two threads get the same
        except IndexError:
            noise = self._draw()
            tail = noise.pop()
            self._noise = noise
            return stamp + tail

    def _draw(self) -> list[str]:
        """Each call's own: two threads that find nothing left draw twice."""
        digits = self._random(_BLOCK * _EACH).hex()
        return [format_uuid7_noise(digits[at : at + 2 * _EACH]) for at in range(0, len(digits), 2 * _EACH)]


def _renew_all() -> None:
    for source in _sources:
        source.renew()


os.register_at_fork(after_in_child=_renew_all)
