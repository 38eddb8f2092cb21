"""A streaming response of Django, passed on piece by piece; says how it ended, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from ..doors.inside import Inside
from ..doors.streams import Meter, is_events
from ..errors import StreamOver
from ..messages import Lease


def watch(response: Any, inside: Inside, ask: Callable[[Lease], float]) -> None:
    """Put a watch around what the response streams. Django calls its ``close`` with the response's own. ``ask``: how
    long it may go on, from a thread without a loop."""
    kind, lease = _AsyncWatch if response.is_async else _Watch, inside.passed.lease
    events = is_events([response.headers.get("Content-Type", "")])
    meter = Meter(lease, ask, events=events) if lease is not None else None
    response.streaming_content = kind(response.streaming_content, inside, response.status_code, meter)


class _Closing:
    def __init__(self, pieces: Any, inside: Inside, status: int, meter: Meter | None) -> None:
        self._pieces = pieces
        self._inside = inside
        self._status = status
        self._meter = meter

    def close(self) -> None:
        """The response is done; what has not been sent by now was not wanted any more."""
        self._inside.end(self._status, "aborted")

    def _outlived(self, meter: Meter) -> None:
        self._inside.end(self._status, "aborted")
        if not meter.events:
            raise StreamOver


class _Watch(_Closing):
    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                if self._meter is not None and self._meter.is_over():
                    self._outlived(self._meter)
                    return
                yield piece
        except GeneratorExit:
            raise
        except BaseException:
            self._inside.end(self._status, "failed")
            raise
        self._inside.end(self._status, "completed")


class _AsyncWatch(_Closing):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pieces:
                if self._meter is not None and await self._meter.is_over_async():
                    self._outlived(self._meter)
                    return
                yield piece
        except Exception:
            self._inside.end(self._status, "failed")
            raise
        self._inside.end(self._status, "completed")
