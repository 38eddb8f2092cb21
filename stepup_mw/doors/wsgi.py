"""The WSGI door: the same gate, asked through one event loop in a thread of this process, made at first use."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from time import perf_counter
from typing import Any, Protocol

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from ..errors import BodyTooLarge
from ..gate import Gate
from ..messages import Ending, Finish, Pass, Request, Response

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_limiters: RunVar[CapacityLimiter] = RunVar("stepup_mw_body_readers")


class Running(Protocol):
    """What a door needs of the assembled service."""

    @property
    def gate(self) -> Gate: ...

    def concerns(self, path: str, root_path: str, raw_path: bytes | None) -> bool: ...

    def handle_blocking(self, request: Request) -> Pass | Response: ...

    def close(self) -> None: ...


class WsgiDoor:
    def __init__(self, app: App, running: Running) -> None:
        self.app = app
        self._running = running

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        root_path = _text(environ.get("SCRIPT_NAME", ""))
        path = root_path + _text(environ.get("PATH_INFO", ""))
        raw_path = _raw_path(environ)
        if not self._running.concerns(path, root_path, raw_path):
            return self.app(environ, start_response)
        verdict = self._running.handle_blocking(_request(environ, path, root_path, raw_path))
        if isinstance(verdict, Response):
            return _answer(environ, start_response, verdict)
        if verdict.context is None or verdict.finish is None:
            return self.app(environ, start_response)
        environ["stepup"] = dict(verdict.context)
        return self._let_through(environ, start_response, verdict.finish)

    def close(self) -> None:
        """Write what is still to be written and let go of files and connections. Good to be used again after."""
        self._running.close()

    def _let_through(self, environ: Environ, start_response: StartResponse, finish: Finish) -> Iterable[bytes]:
        watch = _Watch(start_response, finish)
        try:
            watch.body = self.app(environ, watch.start_response)
        except BaseException:
            watch.end("failed")
            raise
        return watch


class _Watch:
    """The app's answer, passed on; notes how it went and says so once."""

    def __init__(self, start_response: StartResponse, finish: Finish) -> None:
        self._start_response = start_response
        self._finish: Finish | None = finish
        self._begun = perf_counter()
        self._status: int | None = None
        self._whole = False
        self.body: Iterable[bytes] = ()

    def start_response(self, status: str, *rest: Any) -> Callable[[bytes], object]:
        self._status = int(status[:3])
        return self._start_response(status, *rest)

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self.body
        except GeneratorExit:
            raise
        except BaseException:
            self.end("failed")
            raise
        self._whole = True
        self.end("completed")

    def close(self) -> None:
        close = getattr(self.body, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self.end("completed" if self._whole else "aborted")

    def end(self, how: Ending) -> None:
        finish, self._finish = self._finish, None
        if finish is not None:
            failed = how == "completed" and (self._status or 0) >= 500
            finish(self._status, "failed" if failed else how, perf_counter() - self._begun)


def _request(environ: Environ, path: str, root_path: str, raw_path: bytes | None) -> Request:
    async def read_body(limit: int) -> bytes:
        # Not on the loop: it serves every request of this process, and a client may send its body slowly. There are
        # never more readers than the server has threads.
        return await to_thread.run_sync(_read_body, environ, limit, limiter=_readers())

    return Request(
        method=environ.get("REQUEST_METHOD", ""),
        path=path,
        root_path=root_path,
        raw_path=raw_path,
        query=environ.get("QUERY_STRING", "").encode("latin-1"),
        headers=tuple(_headers(environ)),
        peer=environ.get("REMOTE_ADDR") or None,
        scheme=environ.get("wsgi.url_scheme", "http"),
        door="wsgi",
        native=environ,
        read_body=read_body,
    )


def _readers() -> CapacityLimiter:
    limiter = _limiters.get(None)
    if limiter is None:
        limiter = CapacityLimiter(math.inf)
        _limiters.set(limiter)
    return limiter


def _headers(environ: Environ) -> Iterator[tuple[bytes, bytes]]:
    for key, value in environ.items():
        if key.startswith("HTTP_") and isinstance(value, str):
            yield key[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1", "replace")
        elif key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            yield key.replace("_", "-").lower().encode("latin-1"), value.encode("latin-1", "replace")


def _text(native: str) -> str:
    """A WSGI native string (bytes as latin-1, PEP 3333) as the text its UTF-8 bytes spell."""
    if native.isascii():
        return native
    return native.encode("latin-1", "replace").decode("utf-8", "replace")


def _raw_path(environ: Environ) -> bytes | None:
    """The target before decoding, without its query, where the server tells (gunicorn, uWSGI, waitress)."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return target.partition("?")[0].encode("latin-1", "replace") if isinstance(target, str) and target else None


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


def _answer(environ: Environ, start_response: StartResponse, response: Response) -> Iterable[bytes]:
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in response.headers]
    headers.append(("Content-Length", str(len(response.body))))
    start_response(f"{response.status} {phrase}", headers)
    return [] if environ.get("REQUEST_METHOD", "").upper() == "HEAD" else [response.body]
