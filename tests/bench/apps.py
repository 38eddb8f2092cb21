"""The app under the load, the requests, and the middlewares beside ours."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from stepup_mw.asgi import StepUpMiddleware

from .rounds import Case

HEADERS = [
    (b"host", b"app.example"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    (b"accept", b"application/json"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"connection", b"keep-alive"),
    (b"x-auth-user", b"alice"),
    (b"x-auth-session", b"s-81f2"),
]


def scope_of(path: str, method: str = "GET", extra: Iterable[tuple[bytes, bytes]] = ()) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*HEADERS, *extra],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    pass


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"5")],
        }
    )
    await send({"type": "http.response.body", "body": b"hello"})


class Noop:
    """The unit: a pure ASGI middleware that does nothing."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)


def case(loop: asyncio.AbstractEventLoop, app: Callable[..., Awaitable[None]], *scopes: dict[str, Any]) -> Case:
    """Calls an ASGI app in process, with a fresh scope each time, over the given ones in turn."""

    async def many(count: int) -> None:
        turns = itertools.cycle(scopes)
        for _ in itertools.repeat(None, count):
            await app(next(turns).copy(), receive, send)

    return lambda count: loop.run_until_complete(many(count))


def wrapped(
    rules: int, *, folder: Path | None = None, app: Any = hello, more: Mapping[str, Any] | None = None, **audit: Any
) -> StepUpMiddleware:
    """The app behind ``rules`` rules, on SQLite and a local file; ``more`` are further tables of the configuration."""
    where = folder if folder is not None else Path(tempfile.mkdtemp(prefix="stepup-bench-"))
    routes = [
        {"name": f"area{i}", "path": f"/api/v1/area{i}/{{id}}/users/{{uid}}/delete", "risk": 60, "max_age": "1d"}
        for i in range(rules)
    ]
    return StepUpMiddleware(
        app,
        config={
            "service": "bench",
            "secret_key_file": str(_key(where)),
            "identity": {
                "provider": "header",
                "user": "X-Auth-User",
                "session": "X-Auth-Session",
                "trusted_proxies": ["127.0.0.1"],
            },
            "cookie": {"secure": False},
            "routes": routes,
            "store": {"url": f"sqlite:///{where}/stepup.db"},
            "audit": {"path": str(where / "audit" / "stepup.jsonl"), **audit},
            **(more or {}),
        },
    )


def _key(folder: Path) -> Path:
    path = folder / "key"
    if not path.exists():
        path.write_text("a-key-for-measuring-only-8f1d7c52e6b39a40\n")
        path.chmod(0o600)
    return path
