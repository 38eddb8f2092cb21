"""A streaming response of Django, passed on piece by piece; says how it ended, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from ..doors.inside import Inside


def watch(response: Any, inside: Inside) -> None:
    """Put a watch around what the response streams. Django calls its ``close`` with the response's own."""
    kind = _AsyncWatch if response.is_async else _Watch
    response.streaming_content = kind(response.streaming_content, inside, response.status_code)


class _Closing:
    def __init__(self, pieces: Any, inside: Inside, status: int) -> None:
        self._pieces = pieces
        self._inside = inside
        self._status = status

    def close(self) -> None:
        """The response is done; what has not been sent by now was not wanted any more."""
        self._inside.end(self._status, "aborted")


class _Watch(_Closing):
    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
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
                yield piece
        except Exception:
            self._inside.end(self._status, "failed")
            raise
        self._inside.end(self._status, "completed")
