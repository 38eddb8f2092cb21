"""Routers that no framework has, built on Starlette's: they decode, fold or cut before they match.

Each handler only says its own name. The frameworks themselves are in ``tests/congruence``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.routing import Mount, Route

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
