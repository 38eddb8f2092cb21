"""What a door leaves behind of a request: nothing that only the garbage collector can take away."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.asgi import StepUpMiddleware

from ..http.doors import CONFIG, SECRET


class Cycle:
    """As servers have it: one object of a request holds its scope, and is what is sent through."""

    def __init__(self, path: str) -> None:
        self.sent: list[int] = []
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [],
            "query_string": b"",
            "client": ("127.0.0.1", 1),
        }

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        self.sent.append(message.get("status", 0))


async def hello(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def test_a_request_that_no_rule_concerns_is_gone_when_it_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEPUP_SECRET_KEY", SECRET)
    (tmp_path / "stepup.toml").write_text(CONFIG.read_text())
    app = StepUpMiddleware(hello, config=tmp_path / "stepup.toml")

    async def ask() -> weakref.ref[Cycle]:
        cycle = Cycle("/hello")
        await app(cycle.scope, cycle.receive, cycle.send)
        assert cycle.sent[0] == 200
        return weakref.ref(cycle)

    gc.disable()
    try:
        assert asyncio.run(ask())() is None
    finally:
        gc.enable()
