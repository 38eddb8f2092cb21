"""The body of a WSGI request: read for the gate, and given to the app again as if nobody had."""

from __future__ import annotations

import io
import math
from typing import Any

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from ..errors import BodyTooLarge
from ..messages import ReadBody

Environ = dict[str, Any]

_limiters: RunVar[CapacityLimiter] = RunVar("stepup_mw_body_readers")


def body_of(environ: Environ) -> ReadBody:
    """Reads the body of this request, in a thread."""

    async def read_body(limit: int) -> bytes:
        # Not on the loop: it serves every request of this process, and a client may send its body slowly. There are
        # never more readers than the server has threads.
        return await to_thread.run_sync(_read_body, environ, limit, limiter=readers())

    return read_body


def readers() -> CapacityLimiter:
    limiter = _limiters.get(None)
    if limiter is None:
        limiter = CapacityLimiter(math.inf)
        _limiters.set(limiter)
    return limiter


def _read_body(environ: Environ, limit: int) -> bytes:
    """The whole body, at most ``limit`` bytes; the app finds a stream that gives the same bytes again."""
    held = environ.get("stepup.body")
    if isinstance(held, bytes):
        if len(held) > limit:
            raise BodyTooLarge(limit)
        return held
    stream = environ["wsgi.input"]
    body = _pull(environ, stream, limit)
    if len(body) > limit:
        environ["wsgi.input"] = io.BufferedReader(_Joined(body, stream))
        raise BodyTooLarge(limit)
    environ["stepup.body"] = body
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)


def _pull(environ: Environ, stream: Any, limit: int) -> Any:
    """The body from the server's stream, or the first ``limit + 1`` bytes of one without a length."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if int(length) > limit:
            raise BodyTooLarge(limit)
        return stream.read(int(length))
    if environ.get("wsgi.input_terminated"):
        return stream.read(limit + 1)
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise BodyTooLarge(limit)  # chunked, and the server does not say that the stream ends where the body does
    return b""


class _Joined(io.RawIOBase):
    """What was read already, then the rest of the stream."""

    def __init__(self, head: bytes, rest: Any) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
        else:
            data = self._rest.read(size)
        buffer[: len(data)] = data
        return len(data)
