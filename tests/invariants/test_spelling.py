"""Invariant 4, against the routers that really run: however a target is spelt, what they run has been judged."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from stepup_mw.asgi import StepUpMiddleware as AsgiStepUp
from stepup_mw.doors.asgi import Message
from stepup_mw.wsgi import StepUpMiddleware as WsgiStepUp

from .world import KEY, asgi_scope, wsgi_environ

ROUTES = [
    {"name": "transfer", "path": "/admin/transfer", "methods": ["POST"], "challenge": "always"},
    {"name": "delete", "path": "/items/{item}/delete", "methods": ["POST"], "challenge": "always"},
    {"name": "export", "path": "/export/{rest:path}", "methods": ["GET"], "challenge": "always"},
    {"name": "inner", "path": "/sub/secret", "challenge": "always"},
]
PIECES = ["/admin", "/transfer", "/items", "/7", "/delete", "/export", "/a", "/sub", "/secret", "/x"]
JOINS = [
    "",
    "/",
    "//",
    "/.",
    "/..",
    "/./",
    "%0a",
    "%2f",
    "%2F",
    "%252f",
    ";",
    ";v=1",
    "\\",
    "%5c",
    "%00",
    "%20",
    "?",
    "#",
]
ODD = ["%61dmin", "/%61dmin", "/ADMIN", "%c0%af", "%ef%bc%8f", "\u00e9", "%ff", "/trans%66er", "/%2e%2e", "http://h"]
TARGETS = st.lists(st.sampled_from(PIECES) | st.sampled_from(JOINS) | st.sampled_from(ODD), min_size=1, max_size=6)
METHODS = st.sampled_from(["POST", "GET", "HEAD", "post", "Post", "PUT", "OPTIONS", "FOO"])


def _config(folder: Path) -> dict[str, Any]:
    (folder / "key").write_text(KEY)
    (folder / "key").chmod(0o600)
    return {
        "service": "bank",
        "secret_key_file": str(folder / "key"),
        "identity": {"provider": "header", "user": "X-Auth-User", "trusted_proxies": ["127.0.0.1"]},
        "cookie": {"secure": False},
        "routes": ROUTES,
        "store": {"url": "memory://"},
        "audit": {"path": str(folder / "audit" / "stepup.jsonl"), "durability": "write"},
    }


class Routers:
    """Starlette and Flask with the same handlers, each bare and wrapped; ``ran`` notes which handler did."""

    def __init__(self, folder: Path) -> None:
        self.ran: list[str] = []
        self.runner = asyncio.Runner()
        (folder / "a").mkdir()
        (folder / "w").mkdir()
        self.starlette = self._starlette()
        self.flask = self._flask()
        self.wrapped_starlette = AsgiStepUp(self.starlette, config=_config(folder / "a"))
        self.wrapped_flask = WsgiStepUp(self.flask, config=_config(folder / "w"))

    def _starlette(self) -> Starlette:
        async def handler(request: Request) -> PlainTextResponse:
            self.ran.append(request.url.path)
            return PlainTextResponse("ran")

        return Starlette(
            routes=[
                Route("/admin/transfer", handler, methods=["POST"]),
                Route("/items/{item}/delete", handler, methods=["POST"]),
                Route("/export/{rest:path}", handler, methods=["GET"]),
                Mount("/sub", routes=[Route("/secret", handler, methods=["GET", "POST"])]),
            ]
        )

    def _flask(self) -> Callable[..., Iterable[bytes]]:
        app = Flask("routers")

        def handler(**_: str) -> str:
            self.ran.append(request.path)
            return "ran"

        app.add_url_rule("/admin/transfer", "t", handler, methods=["POST"])
        app.add_url_rule("/items/<item>/delete", "d", handler, methods=["POST"])
        app.add_url_rule("/export/<path:rest>", "e", handler, methods=["GET"])
        app.add_url_rule("/sub/secret", "s", handler, methods=["GET", "POST"])
        wsgi: Callable[..., Iterable[bytes]] = app.wsgi_app
        return wsgi

    def by_asgi(self, app: Any, method: str, target: str) -> bool:
        """Whether a handler ran."""
        self.ran.clear()
        parts: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            return parts.pop(0) if parts else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            assert message

        scope = asgi_scope(method, target, [("host", "h"), ("X-Auth-User", "alice")], "127.0.0.1")
        self.runner.run(app(scope, receive, send))
        return bool(self.ran)

    def by_wsgi(self, app: Any, method: str, target: str) -> bool:
        """Whether a handler ran."""
        self.ran.clear()
        environ = wsgi_environ(method, target, [("Host", "h"), ("X-Auth-User", "alice")], b"", "127.0.0.1")
        environ["wsgi.errors"] = io.StringIO()
        chunks = app(environ, lambda *_: lambda _: None)
        b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        return bool(self.ran)


@pytest.fixture(scope="module")
def routers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = Routers(tmp_path_factory.mktemp("routers"))
    yield found
    found.runner.run(found.wrapped_starlette.aclose())
    found.wrapped_flask.close()
    found.runner.close()


REACHES_ASGI = ["/admin/transfer", "/admin/transfer%0a", "/%61dmin/transfer", "/admin%2ftransfer", "/items/7/delete",
                "/sub/secret", "/export/a/../b", "/items/%20/delete"]  # fmt: skip
REACHES_WSGI = ["/admin/transfer", "//admin/transfer", "///admin/transfer", "/%2fadmin/transfer", "/%61dmin/transfer",
                "/items/7/delete", "/admin%2ftransfer"]  # fmt: skip


@pytest.mark.parametrize("target", REACHES_ASGI)
def test_04_starlette_runs_these_spellings_and_the_gate_stops_them(target: str, routers: Routers) -> None:
    method = "GET" if "export" in target else "POST"
    assert routers.by_asgi(routers.starlette, method, target)
    assert not routers.by_asgi(routers.wrapped_starlette, method, target)


@pytest.mark.parametrize("target", REACHES_WSGI)
def test_04_flask_runs_these_spellings_and_the_gate_stops_them(target: str, routers: Routers) -> None:
    assert routers.by_wsgi(routers.flask, "POST", target)
    assert not routers.by_wsgi(routers.wrapped_flask, "POST", target)


@given(TARGETS.map("".join), METHODS)
@example("/admin/transfer%0a", "POST")
@example("//admin/transfer", "post")
@example("/export//", "HEAD")
@example("/sub//secret", "GET")
def test_04_no_spelling_runs_a_sensitive_handler_of_starlette(routers: Routers, target: str, method: str) -> None:
    assert not routers.by_asgi(routers.wrapped_starlette, method, target)


@given(TARGETS.map("".join), METHODS)
@example("//admin//transfer", "POST")
@example("/%2fadmin/transfer", "POST")
@example("/export/%2e%2e/a", "HEAD")
def test_04_no_spelling_runs_a_sensitive_handler_of_flask(routers: Routers, target: str, method: str) -> None:
    assert not routers.by_wsgi(routers.wrapped_flask, method, target)
