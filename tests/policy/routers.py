"""Real routers, in process: which handler does a target reach? Each handler only says its own name."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any
from urllib.parse import quote

from django.http import Http404  # type: ignore[import-untyped]
from django.urls import path as django_path  # type: ignore[import-untyped]
from django.urls import re_path
from django.urls.resolvers import RegexPattern, URLResolver  # type: ignore[import-untyped]
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from stepup_mw.policy import Rule

from .samples import rule

RULES: tuple[Rule, ...] = (
    rule("transfer", "/accounts/{account}/transfer", risk=10),
    rule("admin", "/admin/transfer", risk=20),
    rule("delete", "/items/{id:int}/delete", risk=30),
    rule("files", "/files/{rest:path}", risk=40),
    rule("report", "/reports/{name}.json", risk=50),
    rule("mounted", "/m/inner/transfer", risk=60),
    rule("tenant", "/{tenant}/t/pay", risk=70),
    rule("deep", "/{tenant}/n/{user}/x/pay", risk=80),
)
"""Each name is the name of a handler of every router below; the risks put them in one order."""

Reach = Callable[[str, str, str, bytes], str | None]
"""(method, path, root path, raw path) to the name of the handler that ran."""


def starlette_reach() -> Reach:
    """Starlette, with mounts by name and by parameter, and one inside another."""
    ran: list[str] = []

    class Witness:
        def __init__(self, name: str) -> None:
            self.name = name

        async def __call__(self, _scope: Any, _receive: Any, _send: Any) -> None:
            ran.append(self.name)

    own = [Route(one.path, Witness(one.name)) for one in RULES[:5]]
    pay = Mount("/{user}/x", routes=[Route("/pay", Witness("deep"))])
    app = Starlette(
        routes=[
            *own,
            Mount("/m", routes=[Route("/inner/transfer", Witness("mounted"))]),
            Mount("/{tenant}/n", routes=[pay]),
            Mount("/{tenant}", routes=[Route("/t/pay", Witness("tenant"))]),
        ]
    )

    def reach(method: str, path: str, root_path: str, raw_path: bytes) -> str | None:
        ran.clear()
        scope = {"type": "http", "method": method, "path": path, "root_path": root_path, "raw_path": raw_path}
        scope |= {"headers": [], "query_string": b"", "scheme": "http", "server": ("host.example", 80)}
        run(app(scope, _receive, _send))
        return ran[0] if ran else None

    return reach


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Any) -> None:
    return None


def run(work: Coroutine[Any, Any, None]) -> None:
    """Drive a coroutine that never waits, without a loop. A redirect to what is not text fails: nothing was reached."""
    try:
        work.send(None)
    except (StopIteration, UnicodeEncodeError):
        return
    work.close()
    raise AssertionError("the app waited for something")


def flask_reach() -> Reach:
    """Flask below Werkzeug's dispatcher: SCRIPT_NAME and PATH_INFO as a WSGI server has them (PEP 3333)."""
    ran: list[str] = []

    def app_for(rules: dict[str, str]) -> Flask:
        app = Flask("routers")
        for name, text in rules.items():
            app.add_url_rule(text, name, _view(ran, name), methods=["GET", "POST"])
        return app

    main = app_for(
        {
            "transfer": "/accounts/<account>/transfer",
            "admin": "/admin/transfer",
            "delete": "/items/<int(signed=True):id>/delete",
            "files": "/files/<path:rest>",
            "report": "/reports/<name>.json",
            "tenant": "/<tenant>/t/pay",
            "deep": "/<tenant>/n/<user>/x/pay",
        }
    )
    app = DispatcherMiddleware(main, {"/m": app_for({"mounted": "/inner/transfer"})})

    def reach(method: str, path: str, root_path: str, _raw_path: bytes) -> str | None:
        ran.clear()
        environ = {
            "REQUEST_METHOD": method,
            "SERVER_NAME": "host.example",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
        }
        environ |= {"SCRIPT_NAME": _wsgi(root_path), "PATH_INFO": _wsgi(path.removeprefix(root_path))}
        body: Iterable[bytes] = app(environ, lambda *_: lambda _data: None)
        getattr(body, "close", lambda: None)()
        return ran[0] if ran else None

    return reach


def _wsgi(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _view(ran: list[str], name: str) -> Callable[..., str]:
    def view(**_params: object) -> str:
        ran.append(name)
        return ""

    return view


def django_reach() -> Reach:
    """Django's resolver on the ``path_info`` its two handlers make (django/core/handlers/asgi.py, wsgi.py)."""

    def view(_request: object, **_params: object) -> None:
        return None

    resolver = URLResolver(
        RegexPattern(r"^/"),
        [
            django_path("accounts/<account>/transfer", view, name="transfer"),
            re_path(r"^admin/transfer$", view, name="admin"),
            django_path("items/<int:id>/delete", view, name="delete"),
            django_path("files/<path:rest>", view, name="files"),
            django_path("reports/<name>.json", view, name="report"),
            django_path("m/inner/transfer", view, name="mounted"),
            django_path("<tenant>/t/pay", view, name="tenant"),
            django_path("<tenant>/n/<user>/x/pay", view, name="deep"),
        ],
    )

    def reach(_method: str, path: str, root_path: str, _raw_path: bytes) -> str | None:
        try:
            return str(resolver.resolve(path.removeprefix(root_path) or "/").url_name)
        except Http404:
            return None

    return reach


def litestar_reach() -> Reach:
    """What Litestar does before its tree: cut behind the root path, fold slashes (litestar/_asgi/asgi_router.py)."""
    inner = starlette_reach()

    def reach(method: str, path: str, root_path: str, raw_path: bytes) -> str | None:
        below = path.split(root_path, maxsplit=1)[-1] if root_path else path
        folded = "/" + "/".join(part for part in below.split("/") if part)
        return inner(method, folded, "", raw_path)

    return reach


def undecoded_reach() -> Reach:
    """A router that matches the target as it came and decodes the parts afterwards."""
    inner = starlette_reach()

    def reach(method: str, path: str, root_path: str, raw_path: bytes) -> str | None:
        return inner(method, raw_path.decode("latin-1").removeprefix(quote(root_path)), "", raw_path)

    return reach


def unreserving_reach(step: Callable[[str], str]) -> Callable[[], Reach]:
    """A server or middleware that rewrites the path before the router sees it."""

    def build() -> Reach:
        inner = starlette_reach()
        return lambda method, path, root_path, raw_path: inner(method, step(path), root_path, raw_path)

    return build
