"""System calls that fail on purpose, in this process and for good: only for a process that is there to die.

Stands between Python and the system where ``os`` is: no tracer, no privileges, no trace left behind in the files.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from .acts import CALLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .acts import Fault


class Calls:
    """Counts what the process does from now on, and does the fault when it is time. One a process."""

    def __init__(self, fault: Fault | None) -> None:
        self.counts: Counter[str] = Counter()
        self._fault = fault
        self._mutex = threading.Lock()
        self._write = os.write
        for name in CALLS:
            home = fcntl if name == "flock" else os
            setattr(home, name, self._watched(name, getattr(home, name)))

    def stop(self) -> None:
        """Let everything pass from now on."""
        self._fault = None

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with self._mutex:
                self.counts[name] += 1
                fault = self._fault
                due = fault is not None and fault.call == name and fault.at == self.counts[name]
            if due and fault is not None:
                self._strike(fault, arguments)
            return real(*arguments, **options)

        return call

    def _strike(self, fault: Fault, arguments: tuple[Any, ...]) -> None:
        if fault.how in ("EIO", "ENOSPC"):
            number = getattr(errno, fault.how)
            raise OSError(number, os.strerror(number))
        if fault.how == "torn":
            fd, data = arguments
            self._write(fd, memoryview(data)[: max(1, len(data) * 2 // 3)])
        os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # another thread may be on its way to the signal: nothing more is done by this one
