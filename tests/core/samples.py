"""What the tests of single parts start from: values, a rule, a request, and services over a memory store."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Any, cast

import orjson

from stepup_mw.config import load_config
from stepup_mw.gate.services import Services
from stepup_mw.messages import Request
from stepup_mw.parts import make_services
from stepup_mw.policy import Rule
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.trail import Trail

KEY = "uK3vY9wQ2rT7xB5nM8pL4sD6fG1hJ0zC+/aEiOqWUyk="
NOW = 1_795_418_700.0
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


class Shelf:
    """A trail that keeps its records in a list."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    async def append(self, records: Sequence[bytes], *, wait: bool = True, spooled: bool = False) -> None:  # noqa: ARG002 - the shape of a trail
        self.records += records

    def post(self, records: Sequence[bytes], *, info: bool = False) -> None:  # noqa: ARG002 - as above
        self.records += records

    async def unended(self, *, since: float, until: float) -> list[dict[str, Any]]:  # noqa: ARG002 - as above
        return []

    async def recent(self, users: Collection[str], *, limit: int) -> list[dict[str, Any]]:
        return [line for line in reversed(self.lines()) if line.get("user_id") in users][:limit]

    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(record) for record in self.records]

    def steps(self) -> list[str]:
        """``phase/status`` of every ``step_up`` line, ``type/phase`` of every other."""
        return [
            f"{line['phase']}/{line['status']}" if line["event_type"] == "step_up" else
            f"{line['event_type']}/{line['phase']}"
            for line in self.lines()
        ]  # fmt: skip


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def mapping(**changes: Any) -> dict[str, Any]:
    """A small configuration; ``None`` takes a table out."""
    whole = {
        "service": "bank",
        "identity": {
            "provider": "header",
            "user": "X-Auth-User",
            "session": "X-Auth-Session",
            "trusted_proxies": ["127.0.0.1"],
            "login_url": "/login",
        },
        "cookie": {"secure": False},
        "routes": [{"name": "transfer", "path": "/transfer", "methods": ["POST"], "risk": 60}],
        "store": {"url": "memory://"},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def make(shelf: Shelf | None = None, clock: Clock | None = None, **changes: Any) -> Services:
    """Services over a memory store, writing to a shelf."""
    config = load_config(mapping(**changes), {"STEPUP_SECRET_KEY": KEY})
    return make_services(config.settings, MemoryStore(), cast("Trail", shelf or Shelf()), clock or Clock())


def make_rule(**changes: Any) -> Rule:
    return Rule(**{"name": "transfer", "path": "/transfer", "version": "v1", **changes})


def make_request(**changes: Any) -> Request:
    headers = changes.pop("headers", {})
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Request(
        **{
            "method": "POST",
            "path": "/transfer",
            "headers": tuple((name.lower().encode(), value.encode("latin-1")) for name, value in pairs),
            "peer": "127.0.0.1",
            **changes,
        }
    )


def counting(start: int = 0) -> Any:
    """A source of bytes that is never twice the same and always the same from run to run."""
    source = random.Random(start)
    return source.randbytes
