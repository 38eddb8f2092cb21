"""One HTTP request to a server elsewhere and its answer, in bounded time and memory: no redirects, no retries, no
cookies."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from typing import NamedTuple
from urllib.parse import urlsplit

from .errors import OutboundFailed

_USER_AGENT = "stepup-mw"


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


def fetch(url: str, *, accept: str, timeout_s: float, limit: int) -> Answer:
    """GET, as ``exchange``."""
    return exchange("GET", url, None, {"Accept": accept}, timeout_s=timeout_s, limit=limit)


def exchange(
    method: str, url: str, body: bytes | None, headers: dict[str, str], *, timeout_s: float, limit: int
) -> Answer:
    """Send a request and read at most ``limit`` bytes of its answer. OutboundFailed if there is none within
    ``timeout_s``, all told: a server that sends a byte now and then does not stretch it."""
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = make(parts.hostname or "", parts.port, timeout=timeout_s)
    late = threading.Event()
    watch = threading.Timer(timeout_s, _cut, [connection, late])
    watch.daemon = True
    try:
        connection.connect()
        watch.start()
        connection.request(method, path or "/", body, {**headers, "User-Agent": _USER_AGENT, "Connection": "close"})
        with connection.getresponse() as response:
            data = response.read(limit + 1)
        if late.is_set():  # what was cut off may look whole
            raise TimeoutError
        if len(data) > limit:
            raise OutboundFailed(f"{url} answered with more than {limit} bytes")
        return Answer(response.status, response.headers.get_content_type(), data)
    except (OSError, http.client.HTTPException, ValueError) as error:
        silent = late.is_set() or isinstance(error, TimeoutError)
        why = f"no answer within {timeout_s:g} s" if silent else str(error) or type(error).__name__
        raise OutboundFailed(f"{url}: {why}") from None
    finally:
        watch.cancel()
        connection.close()


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    """Ends whatever the other thread is waiting for."""
    late.set()
    sock = connection.sock
    if isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
