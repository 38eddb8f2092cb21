"""One HTTP request to an anchor or a webhook and its answer, in bounded time and memory. No redirects, no retries."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import AnchorError

_USER_AGENT = "stepup-mw"


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


def post(
    url: str,
    body: bytes,
    content_type: str,
    *,
    timeout_s: float,
    limit: int,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """POST and read at most ``limit`` bytes of the answer. AnchorError if there is none within ``timeout_s``, all
    told: a server that sends a byte now and then does not stretch it."""
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
        own = {"Content-Type": content_type, "User-Agent": _USER_AGENT, "Connection": "close"}
        connection.request("POST", path or "/", body, {**headers, **own})
        with connection.getresponse() as response:
            data = response.read(limit + 1)
        if late.is_set():  # what was cut off may look whole
            raise TimeoutError
        if len(data) > limit:
            raise AnchorError(f"{url} answered with more than {limit} bytes")
        return Answer(response.status, response.headers.get_content_type(), data)
    except (OSError, http.client.HTTPException, ValueError) as error:
        silent = late.is_set() or isinstance(error, TimeoutError)
        why = f"no answer within {timeout_s:g} s" if silent else str(error) or type(error).__name__
        raise AnchorError(f"{url}: {why}") from None
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
