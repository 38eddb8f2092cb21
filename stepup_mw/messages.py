"""What the gate sees and says: requests, responses and decisions, with no framework in them.

The doors (ASGI, WSGI, Django) translate to and from these values and hold no decision of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, Self

Headers = tuple[tuple[bytes, bytes], ...]

ReadBody = Callable[[int], Awaitable[bytes]]
"""Reads the whole body, at most the given number of bytes.

Raises BodyTooLarge past that. Reading does not take the body away from the app: the door hands it on.
"""


async def _no_body(_limit: int) -> bytes:
    return b""


class _Fields(NamedTuple):
    method: str
    path: str
    root_path: str
    raw_path: bytes | None
    query: bytes
    headers: Headers
    peer: str | None
    scheme: str
    kind: Literal["http", "websocket"]
    door: Literal["asgi", "wsgi"]
    native: Mapping[str, Any]
    app: Any
    read_body: ReadBody
    first: Mapping[bytes, bytes]


class Request(_Fields):
    """One request as the server handed it over. A tuple, for one is made for every sensitive request and a frozen
    dataclass takes five times as long.

    method: as sent, in the spelling of the client. path: percent-decoded, the whole path as the server has it
    (``scope["path"]``, or ``SCRIPT_NAME`` + ``PATH_INFO``), root_path included where the server includes it.
    root_path: ASGI ``root_path`` or WSGI ``SCRIPT_NAME``. raw_path: the bytes of the target before decoding,
    without the query, where the server gives them. query: the raw query string. headers: names in lower case
    as the server gave them, in order, duplicates kept (WSGI has merged them). peer: the address of the socket's
    other end. native: the ASGI scope or the WSGI environ, for identity providers and your own signals. app: the app
    at the core of what is wrapped, for a provider that reads its session. first: the first value of each header.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        method: str,
        path: str,
        root_path: str = "",
        raw_path: bytes | None = None,
        query: bytes = b"",
        headers: Headers = (),
        peer: str | None = None,
        scheme: str = "http",
        kind: Literal["http", "websocket"] = "http",
        door: Literal["asgi", "wsgi"] = "asgi",
        native: Mapping[str, Any] = MappingProxyType({}),
        app: Any = None,
        read_body: ReadBody = _no_body,
    ) -> Self:
        first = dict(reversed(headers))
        return tuple.__new__(
            cls,
            (
                method,
                path,
                root_path,
                raw_path,
                query,
                headers,
                peer,
                scheme,
                kind,
                door,
                native,
                app,
                read_body,
                first,
            ),
        )

    def altered(self, **changes: Any) -> Request:
        """The same request, but for some fields."""
        fields = self._asdict()
        del fields["first"]
        return Request(**(fields | changes))

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower-case name), or None."""
        return self.first.get(name)

    def has_odd_names(self) -> bool:
        """Whether some header stands twice, or has an underscore in its name."""
        return len(self.first) != len(self.headers) or b"_" in b"-".join(self.first)

    def has_any(self, names: Sequence[bytes]) -> bool:
        """Whether one of these headers is there."""
        return not self.first.keys().isdisjoint(names)

    def header_text(self, name: bytes) -> str:
        """The first value as text (latin-1, as HTTP/1.1 has it), or an empty string."""
        return self.first.get(name, b"").decode("latin-1")

    def header_values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a header, in order."""
        if name not in self.first:
            return ()
        return tuple([value for key, value in self.headers if key == name])  # a generator takes half as long again


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer the gate gives in the place of the app."""

    status: int
    headers: Headers = ()
    body: bytes = b""


Ending = Literal["completed", "failed", "aborted"]
"""How the app's answer ended: whole, with an error (an exception or a 5xx), or cut off by the client."""

Finish = Callable[[int | None, Ending, float], None]
"""Called once by the door when the app is done: its status (None if it never answered), how, and after how many
seconds."""


class Lease(Protocol):
    """How long an answer may go on."""

    async def left_s(self) -> float:
        """For how many seconds before this is asked again; 0 once the answer must end."""
        ...


class Pass(NamedTuple):
    """Let the request through to the app.

    context: what the app sees as ``scope["stepup"]`` / ``environ["stepup"]``; None on a request that no rule
    matches. finish: to be called with the outcome of the app, None likewise. admitted: the gate's own memory of the
    decision, for what the app may still ask; nothing of it is for a door. instead: the request that the app gets in
    the place of the one that was asked about; its ``native`` is whole, its body is read by ``read_body``. headers: they
    go with the app's answer. lease: by when the answer must end, None for whenever it does.
    """

    context: Mapping[str, Any] | None = None
    finish: Finish | None = None
    admitted: object = None
    lease: Lease | None = None
    instead: Request | None = None
    headers: Headers = ()


UNTOUCHED = Pass()
"""No rule matches: the request passes as it is, body unread, no line written."""
