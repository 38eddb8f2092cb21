"""The WSGI door: the same gate, asked through one event loop in a thread of this process, made at first use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import GeneratorType
from typing import Protocol

from ..demands import KEY, required_in
from ..messages import UNTOUCHED, Lease, Pass, Request, Response
from .asgi_input import read_by_the_app
from .inside import Deciding, FirstAsked, Inside, Native
from .nesting import core_of
from .recall import MARK_TEXT, SAFE, bytes_of_environ
from .streams import Meter
from .wsgi_input import Remembered, body_of
from .wsgi_request import request_of, target_of
from .wsgi_watch import App, Environ, StartResponse, Watch, adding_to, send_response

__all__ = ["App", "Environ", "StartResponse", "WsgiDoor"]


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
        root_path, path, raw_path = target_of(environ)
        if self._running.concerns(path, root_path, raw_path):
            return self._guarded(environ, start_response)
        if environ.get("REQUEST_METHOD", "") in SAFE or self._keeps(environ) is None:
            return self._unconcerned(environ, start_response)
        if MARK_TEXT in environ.get("QUERY_STRING", ""):
            return self._guarded(environ, start_response)
        inside = Inside(self._running, environ, self._making(environ), UNTOUCHED, threaded=True)
        return Watch(environ, start_response, inside).run(self.app)

    def close(self) -> None:
        """Write what is still to be written and let go of files and connections. Good to be used again after."""
        self._running.close()

    async def aclose(self) -> None:
        """As ``close``, from a loop, which goes on meanwhile."""
        await asyncio.to_thread(self.close)

    def _guarded(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = request_of(environ, body_of(environ), self._core)
        verdict = self._running.handle_blocking(request)
        if isinstance(verdict, Response):
            return send_response(environ, start_response, verdict)
        if verdict.headers:
            start_response = adding_to(verdict.headers, start_response)
        if verdict.instead is not None:
            asked, environ = verdict.instead, dict(verdict.instead.native)
            inside = Inside(self._running, environ, lambda _: asked, verdict, threaded=True)
        else:
            inside = Inside(self._running, environ, self._making(environ), verdict, threaded=True)
        meter = Meter(verdict.lease, self._running.left_blocking) if verdict.lease is not None else None
        return Watch(environ, start_response, inside, meter=meter).run(self.app)

    def _unconcerned(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._first.asked:
            return Watch(environ, start_response, self._inside(environ)).run(self.app)
        environ[KEY] = self._first
        try:
            body = self.app(environ, start_response)
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            return _first_failed(error, environ, start_response)
        inside = environ.get(KEY)
        if isinstance(body, GeneratorType) and not isinstance(inside, Inside):
            self._first.asked = True  # an app that is a generator runs only when the server reads it: watch it always
            inside = self._inside(environ)
        return Watch(environ, start_response, inside, body) if isinstance(inside, Inside) else body

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
        return lambda _: request_of({**environ, **came}, read_body, self._core)

    def _inside(self, environ: Native) -> Inside:
        def make(_waiting: bool) -> Request:
            return request_of(environ, read_by_the_app, self._core)

        return Inside(self._running, environ, make, UNTOUCHED, threaded=True)


def _first_failed(error: BaseException, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """What the app raised where nothing was watched: a demand is answered, everything else is the app's."""
    required = required_in(error)
    if required is None:
        inside = environ.get(KEY)
        if isinstance(inside, Inside):
            inside.end(None, "failed")
        raise error
    return send_response(environ, start_response, required.response)
