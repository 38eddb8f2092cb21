"""Which lines let something happen, which are about what is stopped, and which only inform: see ``trail.backlog``.

With a trail that takes nothing: what would open something is 503, what is stopped anyway stays the refusal it is, and
its line is handed over to be kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from stepup_mw.config import load_config
from stepup_mw.errors import TrailUnavailable
from stepup_mw.gate import Gate
from stepup_mw.messages import Pass, Response
from stepup_mw.parts import make_services
from stepup_mw.stores.memory import MemoryStore

from .samples import KEY, Clock, make_request, mapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stepup_mw.trail import Trail

USER = {"X-Auth-User": "alice", "X-Auth-Session": "s1"}


class Classes:
    """A trail that says of each line in which class it was handed in, and may take none of the closed ones."""

    def __init__(self, *, closed: bool) -> None:
        self.closed = closed
        self.said: list[tuple[str, str]] = []

    def _note(self, kind: str, records: Sequence[bytes]) -> None:
        for record in records:
            line = orjson.loads(record)
            self.said.append((kind, f"{line.get('phase')}/{line.get('status')}"))

    async def append(self, records: Sequence[bytes], *, wait: bool = True, spooled: bool = False) -> None:
        assert wait
        self._note("spooled" if spooled else "closed", records)
        if self.closed and not spooled:
            raise TrailUnavailable("nothing is taken")

    def post(self, records: Sequence[bytes], *, info: bool = False) -> None:
        self._note("info" if info else "posted", records)


ROUTES = [
    {"name": "transfer", "path": "/transfer", "methods": ["POST"], "risk": 60},
    {"name": "deny", "path": "/deny", "risk": 95},
    {"name": "low", "path": "/low", "risk": 10},
    {"name": "one", "path": "/one", "risk": 60, "grant": "request"},
]

CASES: dict[str, tuple[dict[str, Any], int, list[tuple[str, str]], int]] = {
    "anonymous": ({}, 401, [("spooled", "trigger/anonymous")], 401),
    "denied by risk": ({"path": "/deny", "headers": USER}, 403, [("spooled", "trigger/denied")], 403),
    "not enrolled": ({"headers": USER}, 403, [("spooled", "trigger/not_enrolled")], 403),
    "ambiguous": (
        {"headers": [("X-Auth-User", "alice"), ("X-Auth-User", "bob")]},
        400,
        [("spooled", "access/refused")],
        400,
    ),
    "let through": (
        {"path": "/low", "headers": USER},
        200,
        [("closed", "access/allowed"), ("info", "result/completed")],
        503,
    ),
}


def ask(trail: Classes, request: dict[str, Any]) -> int:
    config = load_config(mapping(routes=ROUTES), {"STEPUP_SECRET_KEY": KEY})
    gate = Gate(make_services(config.settings, MemoryStore(), cast("Trail", trail), Clock()))
    answer = asyncio.run(gate.handle(make_request(**request)))
    if isinstance(answer, Pass):
        assert answer.finish is not None
        answer.finish(200, "completed", 0.1)
        return 200
    assert isinstance(answer, Response)
    return answer.status


@pytest.mark.parametrize("name", CASES)
def test_each_line_is_handed_in_by_its_class(name: str) -> None:
    request, status, said, without = CASES[name]
    trail = Classes(closed=False)
    assert (ask(trail, request), trail.said) == (status, said)
    broken = Classes(closed=True)
    assert ask(broken, request) == without
    kept = [line for kind, line in broken.said if kind == "spooled"]
    assert kept == [line for kind, line in said if kind == "spooled"] or kept == ["access/refused"]
