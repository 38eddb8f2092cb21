"""The ASGI door. A request that no rule concerns goes straight to the app: one look at the path, nothing wrapped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping

from ..demands import KEY, required_in
from ..errors import Unsupported
from ..messages import UNTOUCHED, Headers, Pass, ReadBody, Request, Response
from .asgi_input import Body, Message, Receive, given, read_by_the_app
from .asgi_watch import CLOSE_CODE, Scope, Send, Watch, close_socket, is_websocket, refuse_handshake, send_response
from .inside import Answer, FirstAsked, Inside, end_first
from .nesting import core_of, own_root_path
from .recall import MARK, SAFE, bytes_of_headers
from .rooted import Rooted, Running

__all__ = ["CLOSE_CODE", "App", "AsgiDoor", "Running", "Scope", "Send"]

App = Callable[[Scope, Receive, Send], Awaitable[None]]


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
                return
            if kind == "http" and scope["method"] not in SAFE and (body := self._remembered(scope, receive)):
                await self._remembering(scope, body, send)
                return
            first = self._first
            if first.asked:
                await self._watched(scope, receive, send, self._inside(scope, path, root_path))
            else:
                scope[KEY] = (first, send, path, root_path)  # routers below change the paths of a scope
                try:
                    await self.app(scope, receive, send)
                except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
                    await self._first_failed(error, scope, send)
                if first.asked:
                    end_first(scope, "completed")  # type: ignore[unreachable]  # it may have changed meanwhile
                scope.pop(KEY, None)  # a server holds its scope, and what is sent through holds the server
        elif kind == "lifespan":
            await self.app(scope, receive, self._with_lifespan(send))
        else:
            raise Unsupported(f"ASGI scope of an unknown type: {str(kind)[:40]}")

    async def aclose(self) -> None:
        """Write what is still to be written and let go of files and connections. Good to be used again after."""
        await self._running.aclose()

    def close(self) -> None:
        """As ``aclose``, from a thread without a loop."""
        self._running.close()

    def _with_lifespan(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._running.start()
            elif message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                await self._running.aclose()
            await send(message)

        return watched

    def _remembered(self, scope: Scope, receive: Receive) -> Body | None:
        """The body, to be remembered while the app reads it; None for a request that is never kept."""
        if scope.get("method", "GET") in SAFE:
            return None
        keep = bytes_of_headers(scope["headers"], self._running.keeps)
        return Body(receive, keep) if keep is not None else None

    async def _remembering(self, scope: Scope, body: Body, send: Send) -> None:
        """No rule concerns the request, but code of the app may ask for a proof when it has begun to read it."""
        if MARK in scope.get("query_string", b""):
            await self._guarded(scope, body.replay, send)
        else:
            inside = self._inside(scope, scope["path"], scope.get("root_path", ""), body=body)
            await self._watched(scope, body.replay, send, inside)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._running.start()
        body = self._remembered(scope, receive) or Body(receive)
        request = self._request(scope, body.read, self._own_root or scope.get("root_path", ""))
        verdict = await self._running.gate.handle(request)
        if isinstance(verdict, Pass):
            await self._run(request, body, send, verdict)
        elif scope["type"] == "websocket":
            await receive()
            await refuse_handshake(scope, send, verdict)
        else:
            await send_response(send, verdict)

    async def _run(self, request: Request, body: Body, send: Send, passed: Pass) -> None:
        """Run the app on this request, or on the one that stands in its place."""
        receive: Receive = body.replay
        scope, asked = request.native, request

        def make(waiting: bool) -> Request:
            return asked if passed.instead is not None else _in_the_app(asked, asked.path, body, waiting)

        if passed.instead is not None:
            asked, scope = passed.instead, passed.instead.native
            receive = given(await asked.read_body(0), body.replay_rest)
        if passed.headers:
            send = _adding(passed.headers, send)
        whole: Scope = scope if type(scope) is dict or isinstance(scope, MutableMapping) else dict(scope)
        await self._watched(whole, receive, send, Inside(self._running, whole, make, passed))

    async def _watched(self, scope: Scope, receive: Receive, send: Send, inside: Inside) -> None:
        watch = Watch(scope, receive, send, inside)
        try:
            if watch.leash is None:
                await self.app(scope, watch.receive, watch.send)
            elif await watch.leash.hold(lambda: self.app(scope, watch.receive, watch.send)):
                await watch.cut()
                return
        except BaseException as error:  # noqa: BLE001 - a demand is one; all else is raised again
            await watch.failed(error)
        else:
            if not inside.ended:
                await watch.done()
        finally:
            inside.leave()

    def _inside(
        self, scope: Scope, path: str, root_path: str, answer: Answer | None = None, body: Body | None = None
    ) -> Inside:
        def make(waiting: bool) -> Request:
            request = self._request(scope, read_by_the_app, self._own_root or root_path)
            return _in_the_app(request, path, body, waiting)

        return Inside(self._running, scope, make, UNTOUCHED, answer=answer)

    def _unwatched(self, scope: Scope) -> Inside:
        _, send, path, root_path = scope[KEY]

        async def answer(response: Response) -> None:
            await (close_socket(send) if is_websocket(scope) else send_response(send, response))

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
            await (close_socket(send) if is_websocket(scope) else send_response(send, required.response))


def _adding(headers: Headers, send: Send) -> Send:
    """Put headers on the app's answer."""

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return adding


def _in_the_app(request: Request, path: str, body: Body | None, waiting: bool) -> Request:
    """The request as it was when it came: routers change the path of a scope; and its body, as far as there is one."""
    native = request.native
    if native["path"] != path:
        native = {**native, "path": path}
    read_body = body.reader(waiting=waiting) if body is not None else request.read_body
    return request.altered(path=path, native=native, read_body=read_body)


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
