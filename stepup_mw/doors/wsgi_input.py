"""The body of a WSGI request: read for the gate, and given to the app again as if nobody had; or read by the app, and
remembered for a gate that is asked later."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from ..errors import BodyTaken, BodyTooLarge
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
        environ["wsgi.input"] = _joined(body, stream)
        raise BodyTooLarge(limit)
    environ["stepup.body"] = body
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)


def _pull(environ: Environ, stream: Any, limit: int, had: int = 0) -> Any:
    """The body from the server's stream, or the first ``limit + 1`` bytes of one without a length; without the first
    ``had`` bytes, which have been read."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit():
        if int(length) > limit:
            raise BodyTooLarge(limit)
        return stream.read(int(length) - had)
    if environ.get("wsgi.input_terminated"):
        return stream.read(limit + 1 - had)
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise BodyTooLarge(limit)  # chunked, and the server does not say that the stream ends where the body does
    return b""


class Remembered:
    """The server's stream as the app reads it: all it has read so far stands here as well, up to ``keep`` bytes. What
    is done with it beside reading is the stream's own, and then nobody knows any more what the app has read; but where
    the stream can be read from its beginning at any time, nothing has to be remembered."""

    def __init__(self, environ: Environ, keep: int) -> None:
        self._environ = environ
        self._stream = environ["wsgi.input"]
        self._keep = keep
        self._held = bytearray()
        self._lost: type[BodyTooLarge] | None = None
        seekable = getattr(self._stream, "seekable", None)
        self._start: int | None = self._stream.tell() if seekable is not None and seekable() else None

    async def body(self, limit: int) -> bytes:
        """The whole body, from a loop, while the app waits; it goes on reading where it was."""
        return await to_thread.run_sync(self.whole, limit, limiter=readers())

    def whole(self, limit: int) -> bytes:
        """As ``body``, from a thread. BodyTooLarge, and BodyTaken."""
        if isinstance(self._environ.get("stepup.body"), bytes):
            return _read_body(self._environ, limit)
        if self._start is not None:
            return self._again(self._start, limit)
        if self._lost is not None:
            raise self._lost(limit)
        rest = _pull(self._environ, self._stream, limit, len(self._held))
        whole = bytes(self._held) + bytes(rest)
        self._stream = _joined(rest, self._stream) if len(whole) > limit else io.BytesIO(rest)
        if len(whole) > limit:
            raise BodyTooLarge(limit)
        return whole

    def _again(self, start: int, limit: int) -> bytes:
        try:
            here = self._stream.tell()
            self._stream.seek(start)
            body = bytes(_pull(self._environ, self._stream, limit))
            self._stream.seek(here)
        except ValueError:  # the app has closed it
            raise BodyTaken(limit) from None
        if len(body) > limit:
            raise BodyTooLarge(limit)
        return body

    def read(self, *size: Any) -> Any:
        return self._noted(self._stream.read(*size))

    def readinto(self, buffer: Any) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readline(self, *size: Any) -> Any:
        return self._noted(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> Any:
        lines = self._stream.readlines(*hint)
        self._noted(b"".join(lines))
        return lines

    def __iter__(self) -> Iterator[Any]:
        for line in self._stream:
            yield self._noted(line)

    def seek(self, *place: Any) -> Any:
        at = self._stream.seek(*place)
        if self._start is None:
            self._forget(BodyTaken)
        return at

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        if name not in _HARMLESS and self._start is None:
            self._forget(BodyTaken)
        return found

    def _noted(self, piece: Any) -> Any:
        if self._lost is None and self._start is None and piece:
            self._held += piece
            if len(self._held) > self._keep:
                self._forget(BodyTooLarge)
        return piece

    def _forget(self, why: type[BodyTooLarge]) -> None:
        self._lost = self._lost or why
        self._held = bytearray()


_HARMLESS = frozenset({"close", "closed", "readable", "writable", "seekable", "isatty", "tell", "name", "mode"})


def _joined(head: bytes, rest: Any) -> io.BufferedReader:
    return io.BufferedReader(_Joined(head, rest))


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
