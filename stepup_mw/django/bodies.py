"""The body of Django's request: read for the gate by Django's own means, or remembered while a view reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio import to_thread
from django.http.request import RawPostDataException  # type: ignore[import-untyped]  # Django ships no types

from ..doors.recall import MARK_TEXT, SAFE, bytes_of_environ
from ..doors.wsgi_input import Remembered, readers
from ..errors import BodyTaken, BodyTooLarge


def is_marked(request: Any) -> bool:
    """Whether the request names a challenge in its query: the gate has to be asked, whatever rules say."""
    return request.method not in SAFE and MARK_TEXT in request.META.get("QUERY_STRING", "")


def remember(request: Any, cap: int) -> None:
    """Remember up to ``cap`` bytes of what the view reads, where the gate could keep the request."""
    stream = getattr(request, "_stream", None)
    if stream is None or request.method in SAFE or hasattr(request, "_body"):
        return
    keep = bytes_of_environ(request.META, cap)
    if keep is not None:
        request._stream = Remembered({"wsgi.input": stream, "wsgi.input_terminated": True}, keep)  # noqa: SLF001


def reader_of(request: Any, *, wait: bool) -> Callable[[int], Any]:
    """Reads ``request.body``, which Django keeps for the view. A WSGI body may come slowly, so off the loop."""

    async def read_body(limit: int) -> bytes:
        return await to_thread.run_sync(_body, request, limit, limiter=readers()) if wait else _body(request, limit)

    return read_body


def _body(request: Any, limit: int) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or ""
    if not hasattr(request, "_body"):
        chunked = not length and "HTTP_TRANSFER_ENCODING" in request.META
        if chunked or (length.isdigit() and int(length) > limit):
            raise BodyTooLarge(limit)
        stream = getattr(request, "_stream", None)
        if isinstance(stream, Remembered):
            return stream.whole(limit)
    try:
        body = bytes(request.body)
    except RawPostDataException:  # somebody has read the stream
        raise BodyTaken(limit) from None
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body
