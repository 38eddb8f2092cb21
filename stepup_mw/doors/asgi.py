"""The ASGI door. A request that no rule concerns goes straight to the app: one look at the path, nothing wrapped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from typing import Any

from ..demands import KEY, required_in
from ..errors import AskedTooLate, Unsupported
from ..messages import UNTOUCHED, Headers, Pass, ReadBody, Request, Response
from .asgi_input import Body, Message, Receive, given, read_by_the_app
from .inside import Answer, FirstAsked, Inside, end_first
from .nesting import core_of, own_root_path
from .rooted import Rooted, Running

Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSE_CODE = 4401
"""WebSocket close code of a refused handshake, where the server cannot send an HTTP answer."""


class AsgiDoor:
    def __init__(self, app: App, running: Running, *, own_root: str | None = None) -> None:
        self.app = app
        self._core = core_of(app)
        self._own_root = own_root_path(app) if own_root is None else own_root
        self._running = Rooted(running, self._own_root) if self._own_root else running
        self._first = FirstAsked(self._unwatched)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" or kind == "websocket":  # noqa: PLR1714 - a third of the time of a tuple look-up
            path, root_path = scope["path"], scope.get("root_path", "")
            if self._running.concerns(path, root_path, scope.get("raw_path")):
                await self._guarded(scope, receive, send)
            elif self._first.asked:
                await self._watched(scope, receive, send, self._inside(scope, path, root_path))
            else:
                scope[KEY] = (self._first, send, path, root_path)  # routers below change the paths of a scope
                try:
                    await self.app(scope, receive, send)
                except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
                    await self._first_failed(error, scope, send)
                if self._first.asked:
                    end_first(scope, "completed")  # type: ignore[unreachable]  # it may have changed meanwhile
        elif kind == "lifespan":
            await self.app(scope, receive, self._with_lifespan(send))
        else:
            raise Unsupported(f"ASGI scope of an unknown type: {str(kind)[:40]}")

    async def aclose(self) -> None:
        """Write what is still to be written and let go of files and connections. Good to be used again after."""
        await self._running.aclose()

    def _with_lifespan(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._running.start()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self._running.aclose()
            await send(message)

        return watched

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running.start()
        body = Body(receive)
        request = self._request(scope, body.read, self._own_root or scope.get("root_path", ""))
        verdict = await self._running.gate.handle(request)
        if isinstance(verdict, Pass):
            await self._run(request, body, send, verdict)
        elif scope["type"] == "websocket":
            await receive()
            await _refuse_handshake(scope, send, verdict)
        else:
            await _send(send, verdict)

    async def _run(self, request: Request, body: Body, send: Send, passed: Pass) -> None:
        """Run the app on this request, or on the one that stands in its place."""
        receive: Receive = body.replay
        scope = request.native
        if passed.instead is not None:
            request, scope = passed.instead, passed.instead.native
            receive = given(await request.read_body(0), body.replay_rest)
        if passed.headers:
            send = _adding(passed.headers, send)
        whole: Scope = scope if isinstance(scope, MutableMapping) else dict(scope)
        await self._watched(whole, receive, send, Inside(self._running, whole, lambda _: request, passed))

    async def _watched(self, scope: Scope, receive: Receive, send: Send, inside: Inside) -> None:
        watch = _Watch(scope, receive, send, inside)
        try:
            await self.app(scope, watch.receive, watch.send)
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            await watch.failed(error)
        else:
            await watch.done()

    def _inside(self, scope: Scope, path: str, root_path: str, answer: Answer | None = None) -> Inside:
        def make(_waiting: bool) -> Request:
            return replace(self._request(scope, read_by_the_app, self._own_root or root_path), path=path)

        return Inside(self._running, scope, make, UNTOUCHED, answer=answer)

    def _unwatched(self, scope: Scope) -> Inside:
        _, send, path, root_path = scope[KEY]

        async def answer(response: Response) -> None:
            await (_close(send) if _is_websocket(scope) else _send(send, response))

        return self._inside(scope, path, root_path, answer)

    def _request(self, scope: Scope, read_body: ReadBody, root_path: str) -> Request:
        return _request(scope, read_body, root_path, self._core)

    async def _first_failed(self, error: BaseException, scope: Scope, send: Send) -> None:
        """What the app raised where nothing was watched: a demand is answered, everything else is the app's."""
        required = required_in(error)
        if required is None:
            end_first(scope, "failed" if isinstance(error, Exception) else "aborted")
            raise error
        if not required.answered:
            await (_close(send) if _is_websocket(scope) else _send(send, required.response))


class _Watch:
    """Notes how the app answers, and says so once; answers in its place where the app asks for a proof."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, inside: Inside) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._inside = inside
        self._status: int | None = None
        self._greeted = False
        self._gone = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._greeted = True
        if message["type"] in ("http.disconnect", "websocket.disconnect"):
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        if self._inside.required is not None and not self._inside.answering:
            return  # the gate answers, whatever the app makes of it
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
            self._inside.answering = True
        elif kind == "websocket.accept":
            self._status = 101
        elif kind == "http.response.body" and not message.get("more_body", False):
            self._inside.end(self._status, "completed")
        await self._send(message)

    async def done(self) -> None:
        """The app has returned; a demand that it has caught is answered all the same."""
        required = self._inside.required
        if required is not None and not self._inside.answering:
            await self._answer(required.response)
        else:
            whole = _is_websocket(self._scope)
            self._inside.end(self._status, "completed" if whole else "aborted" if self._gone else "failed")

    async def failed(self, error: BaseException) -> None:
        """The app has raised: a demand is answered; all else is said, and raised again."""
        required = required_in(error)
        if required is not None and not self._inside.answering:
            await self._answer(required.response)
            return
        self._inside.end(self._status, "failed" if required or isinstance(error, Exception) else "aborted")
        if required is not None:
            raise AskedTooLate("a proof was asked for when the answer had begun") from error
        raise error

    async def _answer(self, response: Response) -> None:
        if not _is_websocket(self._scope):
            await _send(self._send, response)
        elif self._status is not None:
            await _close(self._send)
        else:
            if not self._greeted:
                await self._receive()
            await _refuse_handshake(self._scope, self._send, response)
        self._inside.end(response.status, "completed")


def _is_websocket(scope: Scope) -> bool:
    return bool(scope["type"] == "websocket")


def _adding(headers: Headers, send: Send) -> Send:
    """Put headers on the app's answer."""

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return adding


def _request(scope: Scope, read_body: ReadBody, root_path: str, app: App) -> Request:
    client = scope.get("client")
    is_http = scope["type"] == "http"
    return Request(
        method=scope["method"] if is_http else "GET",
        path=scope["path"],
        root_path=root_path,
        raw_path=scope.get("raw_path"),
        query=scope.get("query_string", b""),
        headers=tuple(scope["headers"]),  # the specification has names in lower case; another spelling is not seen
        peer=client[0] if client else None,
        scheme=scope.get("scheme", "http"),
        kind="http" if is_http else "websocket",
        door="asgi",
        native=scope,
        app=app,
        **({"read_body": read_body} if is_http else {}),
    )


async def _send(send: Send, response: Response, prefix: str = "http") -> None:
    headers = [*response.headers, (b"content-length", str(len(response.body)).encode("ascii"))]
    await send({"type": f"{prefix}.response.start", "status": response.status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": response.body})


async def _refuse_handshake(scope: Scope, send: Send, response: Response) -> None:
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await _send(send, response, "websocket.http")
    else:
        await _close(send)


async def _close(send: Send) -> None:
    await send({"type": "websocket.close", "code": CLOSE_CODE, "reason": "step-up required"})
