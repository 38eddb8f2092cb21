"""From an app to its router, through what stands around it; paths from expressions; and a command that repeats."""

from __future__ import annotations

import functools
import re
import shlex
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route, Router
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from stepup_mw.congruence.operators import OPERATORS
from stepup_mw.congruence.spelling import Spelling, curl, plain
from stepup_mw.congruence.wire import handed
from stepup_mw.doors.nesting import own_root_path
from stepup_mw.patterns import compile_pattern
from stepup_mw.routers.expressions import path_of
from stepup_mw.routers.reading import read_app
from stepup_mw.routers.texts import example_of
from stepup_mw.wsgi import StepUpMiddleware

from ..invariants.test_spelling import config
from .banks import bank


async def _end(_request: Any) -> None: ...


def _starlette() -> Starlette:
    return Starlette(routes=[Route("/pay", _end, methods=["POST"])])


def _flask() -> Flask:
    app = Flask("shop", static_folder=None)
    app.add_url_rule("/pay", "pay", lambda: "", methods=["POST"])
    return app


def _with_overlay(app: Any, name: str, wrap: Callable[[Any], Any]) -> Any:
    setattr(app, name, wrap(getattr(app, name)))
    return app


async def _function(scope: Any, receive: Any, send: Any) -> None: ...


class _Unknown:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


READ = {
    "the app": (_starlette, "starlette", ()),
    "a router": (lambda: Router([Route("/pay", _end, methods=["POST"])]), "starlette", ()),
    "inside a middleware": (
        lambda: GZipMiddleware(_starlette()),
        "starlette",
        ("starlette.middleware.gzip.GZipMiddleware",),
    ),
    "Flask, its wsgi_app wrapped": (
        lambda: _with_overlay(_flask(), "wsgi_app", ProxyFix),
        "flask",
        ("werkzeug.middleware.proxy_fix.ProxyFix",),
    ),
    "Quart, its asgi_app wrapped": (
        lambda: _with_overlay(Quart("shop", static_folder=None), "asgi_app", functools.partial),
        "quart",
        (),
    ),
    "by prefix": (lambda: DispatcherMiddleware(_flask(), {"/m": _flask()}), "werkzeug", ()),
    "a function": (lambda: _function, None, ()),
    "an object of no framework": (_Unknown, None, ()),
    "of no framework inside a middleware": (
        lambda: GZipMiddleware(_Unknown()),
        None,
        ("starlette.middleware.gzip.GZipMiddleware",),
    ),
}


@pytest.mark.parametrize(("make", "framework", "around"), READ.values(), ids=READ)
def test_what_an_app_is(make: Callable[[], Any], framework: str | None, around: tuple[str, ...]) -> None:
    reading = read_app(make())
    assert (reading.router.framework if reading.router else None) == framework
    assert reading.around == around
    assert bool(reading.found) == (framework is None)


def test_partials_and_our_own_middleware_are_seen_through(tmp_path: Any) -> None:
    app = _flask()
    gate = StepUpMiddleware(app.wsgi_app, config=config(tmp_path))
    app.wsgi_app = gate  # type: ignore[method-assign]
    reading = read_app(app)
    assert (reading.router.framework if reading.router else None, reading.around) == ("flask", ())
    gate.close()


def test_apps_by_prefix_keep_their_prefix() -> None:
    router = read_app(DispatcherMiddleware(_flask(), {"/m": _flask()})).router
    assert router is not None
    assert [route.path for route in router.routes] == ["/pay", "/m/pay"]
    for path, expected in (("/pay", "/pay"), ("/m/pay", "/m/pay"), ("/m//pay", "/m/pay"), ("/n/pay", None)):
        _, native = next(handed(plain("POST", path), "wsgi"))
        hit = router.dispatch(native)
        assert (hit.route.path if hit else None) == expected


def test_a_root_path_is_seen_through_middlewares() -> None:
    assert own_root_path(GZipMiddleware(bank("fastapi").app)) == ""
    assert own_root_path(_function) == ""


EXPRESSIONS = {
    "^admin/(?P<id>[0-9]+)/$": "admin/{id}/",
    "^files/(?P<rest>.*)$": "files/{rest:path}",
    r"^(?P<slug>[-\w]+)/edit/?$": "{slug}/edit",
    "^a/([a-z]+)/b$": "a/{arg0}/b",
    "^a/(?:x|y)/b$": "a/{any0}/b",
    r"^(?P<year>\d{4})/(?P<month>\d\d)$": "{year}/{month}",
    "^(?P<path>[^?]+)$": "{path:path}",
}


@pytest.mark.parametrize(("expression", "path"), EXPRESSIONS.items())
def test_the_path_and_the_samples_of_an_expression(expression: str, path: str) -> None:
    assert path_of(expression) == path
    assert all(re.search(expression, example_of(expression, variant)) for variant in (0, 1))


ANY_EXPRESSION = [
    *EXPRESSIONS,
    r"^opt(?:ional)?/(?P<a>x|y)?/?$",
    r"^a/(?P<x>[a-z]*)/b$",
    r"^a(b)?c/$",
    r"^x/(?:(?P<y>\d{4})/)?$",
    r"^(?P<a>\d+)(?:-(?P<b>\d+))?/z$",
    r"^\w{3,}/(?P<r>.{1,2})$",
    r"^a/?b$",
    r"^(?P<x>a|b/c)/d$",
    r"^((?P<n>[0-9]+)|all)\.(json|xml)$",
    r"^[^/]+/([^a]+)?x$",
]


@given(data=st.data())
@pytest.mark.parametrize("expression", ANY_EXPRESSION)
def test_a_path_is_as_wide_as_its_expression(expression: str, data: st.DataObject) -> None:
    """Whatever the expression matches, a rule of this path matches, or a slash at its end is all that is in the way."""
    text = data.draw(st.from_regex(re.compile(expression, re.ASCII), fullmatch=True)).rstrip("\n")
    pattern = compile_pattern("/" + path_of(expression))
    assert pattern.broad.fullmatch("/" + text) or pattern.broad.fullmatch("/" + text.rstrip("/")), text


SENT = [spelling for operator in OPERATORS for spelling in list(operator.apply(plain("POST", "/a/7/b")))[:2]]
SENT = [spelling for spelling in SENT if spelling.target.isascii() and spelling.method.isascii()]


def _caught(spelling: Spelling) -> list[str]:
    """The lines of the request that the command sends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lines: list[str] = []

        def serve() -> None:
            wire, _ = server.accept()
            with wire:
                lines.extend(wire.recv(65536).decode("latin-1").split("\r\n"))
                wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        words = shlex.split(curl(spelling, f"http://127.0.0.1:{server.getsockname()[1]}"))
        subprocess.run([*words, "--silent", "--max-time", "5"], check=False, capture_output=True)
        thread.join(10)
    return lines


@pytest.mark.slow
@pytest.mark.parametrize("spelling", SENT, ids=lambda spelling: spelling.shown()[:60])
def test_the_command_sends_the_very_spelling(spelling: Spelling) -> None:
    request, *headers = _caught(spelling)
    assert request == f"{spelling.method} {spelling.target} HTTP/1.1"
    assert {f"{name}: {value}".rstrip() for name, value in spelling.headers} <= {line.rstrip() for line in headers}
