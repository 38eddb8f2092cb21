"""The app's answer under WSGI, watched and passed on, or another one in its place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any, NoReturn

from ..demands import required_in
from ..errors import AskedTooLate, StreamOver
from ..messages import Headers, Response
from .inside import Inside
from .streams import Meter, is_events

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


class Watch:
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
        return send_response(self._environ, self._start_response, response, sys.exc_info() if begun else None)


def adding_to(headers: Headers, start_response: StartResponse) -> StartResponse:
    """Put headers on the app's answer."""
    more = [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in headers]

    def adding(status: str, given: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:
        return start_response(status, [*given, *more], *rest)

    return adding


def _raise(error: BaseException, *, late: bool) -> NoReturn:
    if late:
        raise AskedTooLate("a proof was asked for when the answer had begun") from error
    raise error


def send_response(
    environ: Environ, start_response: StartResponse, response: Response, raised: Any = None
) -> Iterable[bytes]:
    """``raised``: what the app raised after it had called ``start_response`` (PEP 3333)."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "Unknown"
    headers = [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in response.headers]
    headers.append(("Content-Length", str(len(response.body))))
    start_response(f"{response.status} {phrase}", headers, *((raised,) if raised is not None else ()))
    return [] if environ.get("REQUEST_METHOD", "").upper() == "HEAD" else [response.body]
