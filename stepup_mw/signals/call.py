"""Your own signal, ``{ points = 30, call = "bank.risk:large_amount" }``, sync or async.

It is called with the Subject and gives a bool, or a number of points (cut to 0 and the configured points).
``subject.body`` holds the request's body where it is no larger than ``challenge.resume_max_body``, else None.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from anyio import fail_after, to_thread

from ..state import Store
from . import Finding, Subject

TIMEOUT_S = 2
"""Unless told otherwise. A call that has not answered by then counts as one that raised."""


class Call:
    def __init__(self, name: str, points: int, call: Callable[[Subject], Any], *, timeout_s: float = TIMEOUT_S) -> None:
        self.name = name
        self.points = points
        self._call = call
        self._timeout_s = timeout_s

    async def measure(self, subject: Subject, store: Store) -> Finding:  # noqa: ARG002 - one shape for all signals
        with fail_after(self._timeout_s):
            found = await self._ask(subject)
        if isinstance(found, bool):
            found = self.points if found else 0
        points = max(0, min(self.points, int(found)))
        return Finding(points, "your function says {} of {} points", (points, self.points))

    async def _ask(self, subject: Subject) -> Any:
        if inspect.iscoroutinefunction(self._call):
            return await self._call(subject)
        found = await to_thread.run_sync(self._call, subject, abandon_on_cancel=True)
        return await found if inspect.isawaitable(found) else found
