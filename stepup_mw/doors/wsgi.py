"""The WSGI door: the same gate, asked through one event loop in a thread of this process, made at first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from types import GeneratorType
from typing import Any, NoReturn, Protocol

from ..demands import KEY, required_in
from ..errors import AskedTooLate, StreamOver
from ..messages import UNTOUCHED, Headers, Lease, Pass, ReadBody, Request, Response
from .asgi_input import read_by_the_app
from .inside import Deciding, FirstAsked, Inside, Native
from .nesting import core_of
from .recall import MARK_TEXT, SAFE, bytes_of_environ
from .streams import Meter, is_events
from .wsgi_input import Remembered, body_of

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


class Running(Deciding, Protocol):
    """What a door needs of the assembled service."""

    def concerns(self, path: str, root_path: str, raw_path: bytes | None) -> bool: ...

    def handle_blocking(self, request: Request) -> Pass | Response: ...

    def left_blocking(self, lease: Lease) -> float: ...

    def close(self) -> None: ...


_AS_IT_CAME = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH")
"""What apps inside of apps change of an environ."""


class WsgiDoor:
    def __init__(self, app: App, running: Running) -> None:
        self.app = app
        self._core = core_of(app)
        self._running = running
        self._first = FirstAsked(self._inside)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        root_path, path, raw_path = _target(environ)
        if self._running.concerns(path, root_path, raw_path):
            return self._guarded(environ, start_response)
        if environ.get("REQUEST_METHOD", "") in SAFE or self._keeps(environ) is None:
            return self._unconcerned(environ, start_response)
        if MARK_TEXT in environ.get("QUERY_STRING", ""):
            return self._guarded(environ, start_response)
        inside = Inside(self._running, environ, self._making(environ), UNTOUCHED, threaded=True)
        return _Watch(environ, start_response, inside).run(self.app)

    def close(self) -> None:
        """Write what is still to be written and let go of files and connections. Good to be used again after."""
        self._running.close()

    def _guarded(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = _request(environ, body_of(environ), self._core)
        verdict = self._running.handle_blocking(request)
        if isinstance(verdict, Response):
            return _answer(environ, start_response, verdict)
        if verdict.headers:
            start_response = _adding(verdict.headers, start_response)
        if verdict.instead is not None:
            asked, environ = verdict.instead, dict(verdict.instead.native)
            inside = Inside(self._running, environ, lambda _: asked, verdict, threaded=True)
        else:
            inside = Inside(self._running, environ, self._making(environ), verdict, threaded=True)
        meter = Meter(verdict.lease, self._running.left_blocking) if verdict.lease is not None else None
        return _Watch(environ, start_response, inside, meter=meter).run(self.app)

    def _unconcerned(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._first.asked:
            return _Watch(environ, start_response, self._inside(environ)).run(self.app)
        environ[KEY] = self._first
        try:
            body = self.app(environ, start_response)
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            return _first_failed(error, environ, start_response)
        inside = environ.get(KEY)
        if isinstance(body, GeneratorType) and not isinstance(inside, Inside):
            self._first.asked = True  # an app that is a generator runs only when the server reads it: watch it always
            inside = self._inside(environ)
        return _Watch(environ, start_response, inside, body) if isinstance(inside, Inside) else body

    def _keeps(self, environ: Environ) -> int | None:
        """How many bytes of the body are remembered while the app reads it; None for a request that is never kept."""
        return bytes_of_environ(environ, self._running.keeps)

    def _making(self, environ: Environ) -> Callable[[bool], Request]:
        """Makes the request as it came, and its body as far as it is remembered, when the app has begun with it."""
        came = {name: environ[name] for name in _AS_IT_CAME if name in environ}
        keep = self._keeps(environ) if environ.get("REQUEST_METHOD", "") not in SAFE else None
        read_body = body_of(environ) if "stepup.body" in environ else read_by_the_app
        if keep is not None:
            environ["wsgi.input"] = remembered = Remembered(environ, keep)
            read_body = remembered.body
        return lambda _: _request({**environ, **came}, read_body, self._core)

    def _inside(self, environ: Native) -> Inside:
        def make(_waiting: bool) -> Request:
            return _request(environ, read_by_the_app, self._core)

        return Inside(self._running, environ, make, UNTOUCHED, threaded=True)


class _Watch:
    """The app's answer, passed on; notes how it went and says so once. Answers in its place where the app asks for a
    proof: until the first piece of the body, a server takes other headers (PEP 3333)."""

    def __init__(
        self,
        environ: Environ,
        start_response: StartResponse,
        inside: Inside,
        body: Iterable[bytes] = (),
        *,
        meter: Meter | None = None,
    ) -> None:
        self._environ = environ
        self._start_response = start_response
        self._inside = inside
        self._status: int | None = None
        self._whole = False
        self._body: Iterable[bytes] = body
        self._meter = meter

    def run(self, app: App) -> Iterable[bytes]:
        """Call the app; what it asks for is answered."""
        try:
            self._body = app(self._environ, self.start_response)
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            self._body = self._failed(error)
        else:
            self._body = self._replaced()
        return self

    def start_response(self, status: str, *rest: Any) -> Callable[[bytes], object]:
        if self._inside.required is not None:
            return bytearray().extend  # the gate answers, whatever the app makes of it
        self._status = int(status[:3])
        if self._meter is not None and rest:
            self._meter.events = is_events(value for name, value in rest[0] if name.lower() == "content-type")
        return self._start_response(status, *rest)

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._body:
                if self._inside.required is not None and not self._inside.answering:
                    raise self._inside.required
                if self._meter is not None and self._meter.is_over():
                    self._inside.end(self._status, "aborted")
                    if self._meter.events:
                        return
                    raise StreamOver
                self._inside.answering = True
                yield piece
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            yield from self._failed(error)
        self._whole = True
        self._inside.end(self._status, "completed")

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._inside.end(self._status, "completed" if self._whole else "aborted")
            self._inside.leave()

    def _replaced(self) -> Iterable[bytes]:
        """The app's body; the gate's where the app has caught a demand."""
        required = self._inside.required
        if required is None:
            return self._body
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
        return self._answer(required.response)

    def _failed(self, error: BaseException) -> Iterable[bytes]:
        required = required_in(error)
        if required is None or self._inside.answering:
            self._inside.end(self._status, "failed")
            _raise(error, late=required is not None)
        return self._answer(required.response)

    def _answer(self, response: Response) -> Iterable[bytes]:
        begun, self._status = self._status is not None, response.status
        self._inside.answering = True
        return _answer(self._environ, self._start_response, response, sys.exc_info() if begun else None)


def _first_failed(error: BaseException, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """What the app raised where nothing was watched: a demand is answered, everything else is the app's."""
    required = required_in(error)
    if required is None:
        inside = environ.get(KEY)
        if isinstance(inside, Inside):
            inside.end(None, "failed")
        raise error
    return _answer(environ, start_response, required.response)


def _adding(headers: Headers, start_response: StartResponse) -> StartResponse:
    """Put headers on the app's answer."""
    more = [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in headers]

    def adding(status: str, given: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
        return start_response(status, [*given, *more], *rest)

    return adding


def _raise(error: BaseException, *, late: bool) -> NoReturn:
    if late:
        raise AskedTooLate("a proof was asked for when the answer had begun") from error
    raise error


def _target(environ: Native) -> tuple[str, str, bytes | None]:
    """The root path, the whole path and the raw path."""
    root_path = _text(environ.get("SCRIPT_NAME", ""))
    return root_path, root_path + _text(environ.get("PATH_INFO", "")), _raw_path(environ)


def _request(environ: Native, read_body: ReadBody, app: Any) -> Request:
    root_path, path, raw_path = _target(environ)
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
        app=app,
        read_body=read_body,
    )


def _headers(environ: Native) -> Iterator[tuple[bytes, bytes]]:
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


def _raw_path(environ: Native) -> bytes | None:
    """The target before decoding, without its query, where the server tells (gunicorn, uWSGI, waitress)."""
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return target.partition("?")[0].encode("latin-1", "replace") if isinstance(target, str) and target else None


def _answer(environ: Environ, start_response: StartResponse, response: Response, raised: Any = None) -> Iterable[bytes]:
    """``raised``: what the app raised after it had called ``start_response`` (PEP 3333)."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in response.headers]
    headers.append(("Content-Length", str(len(response.body))))
    start_response(f"{response.status} {phrase}", headers, *((raised,) if raised is not None else ()))
    return [] if environ.get("REQUEST_METHOD", "").upper() == "HEAD" else [response.body]
