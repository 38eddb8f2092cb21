"""Invariant 13 against a crowd and against neighbours: a grant for one request opens that one, once, and no look at it
by a request that it does not open takes its use."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from ..servers import SERVERS
from .conftest import MakeWorld
from .test_gate import proved
from .world import Answer, StoreKind, World, asgi_scope, who

KINDS: tuple[Any, ...] = (
    "memory",
    "sqlite",
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in (*SERVERS, "postgres")),
)
Asked = tuple[str, list[tuple[str, str]], bytes]
"""A target, the headers, a body."""


def _at_once(world: World, asked: list[Asked]) -> list[Answer]:
    async def crowd() -> list[Answer]:
        each = (
            world._ask_asgi(asgi_scope("POST", target, headers, "127.0.0.1"), body) for target, headers, body in asked
        )
        return list(await asyncio.gather(*each))

    return world.runner.run(crowd())


def _left(world: World, user: str) -> list[int | None]:
    """The uses that are left of each grant of a user, the newest first."""
    found = world.runner.run(world.stage.faulty_store.inner.grants(user, now=0.0))
    return [grant.uses_left for grant in found]


def _device(world: World, user: str) -> str:
    """The cookie of a browser that a user has proved themself with."""
    cookie = world.post(user, "/transfer").cookies["stepup-device"]
    headers = {"Cookie": f"stepup-device={cookie}"}
    world.clock.now += 31
    given = world.verify(user, world.post(user, "/transfer", b"", **headers), world.code(user), **headers)
    assert given.status == 200
    return cookie


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("browser", [False, True], ids=["client", "browser"])
def test_of_64_with_one_grant_one_is_let_through(make_world: MakeWorld, kind: StoreKind, browser: bool) -> None:
    """With and without signals before it: without any, what is known of the device comes with the use."""
    world = make_world("asgi", kind, risk={"signals": {}})
    world.enroll("alice")
    cookies = [("Cookie", f"stepup-device={_device(world, 'alice')}")] if browser else []
    headers = [*who("alice"), *cookies, ("Step-Up-Grant", proved(world, "alice", "/wire", b"x"))]
    runs = len(world.runs)
    answers = _at_once(world, [("/wire", headers, b"x")] * 64)
    assert Counter(answer.status for answer in answers) == {200: 1, 401: 63}
    assert len(world.runs) == runs + 1
    line = world.runs[-1].line
    assert line is not None
    assert (line["proof"]["basis"], line["origin"]["device_known"]) == ("grant", browser)


@pytest.mark.parametrize("kind", KINDS)
def test_64_that_it_does_not_open_take_no_use(make_world: MakeWorld, kind: StoreKind) -> None:
    world = make_world("asgi", kind)
    for user in ("alice", "bob"):
        world.enroll(user)
    world.clock.now += 31
    token = ("Step-Up-Grant", proved(world, "alice", "/wire", b"x"))
    alice, right = who("alice"), ("/wire", [*who("alice"), token], b"x")
    wrong: list[Asked] = [
        ("/wire", [*alice, token], b"y"),
        ("/wire?q=1", [*alice, token], b"x"),
        ("/transfer", [*alice, token], b"x"),
        ("/wire", [*who("bob"), token], b"x"),
        ("/wire", [("X-Auth-User", "alice"), ("X-Auth-Session", "another"), token], b"x"),
        ("/watch", [*alice, token], b"x"),
        ("/rename", [*alice, token], b"x"),
        ("/wire", [*alice, token, ("Step-Up-Code", world.wrong("alice"))], b"x"),
    ]
    answers = _at_once(world, wrong * 8)
    assert {answer.status for answer in answers} <= {200, 401, 410, 429}
    assert {run.path for run in world.runs} <= {"/watch", "/rename"}
    assert _left(world, "alice") == [1]
    mixed = _at_once(world, [right, *wrong[:5]] * 8)
    assert [answer.status for answer in mixed].count(200) == 1
    assert _left(world, "alice") == [0]


def test_a_stale_one_keeps_its_use(make_world: MakeWorld) -> None:
    world = make_world()
    world.enroll("alice")
    token = proved(world, "alice", "/wire", b"x")
    for seconds in (-6, 306):
        world.clock.now += seconds
        assert world.post("alice", "/wire", b"x", step_up_grant=token).kind == "challenge-required"
        assert _left(world, "alice") == [1]
    world.clock.now -= 1
    assert world.post("alice", "/wire", b"x", step_up_grant=token).status == 200


def test_what_is_allowed_denied_or_only_reported_keeps_it(make_world: MakeWorld) -> None:
    """The score is known before the use is taken: a second request within a minute adds its points."""
    wire: dict[str, Any] = {"name": "wire", "path": "/wire", "methods": ["POST"], "grant": "request", "risk": 10}

    def risk(points: int) -> dict[str, Any]:
        return {"signals": {"burst": {"points": points, "limit": 1, "window": "1m"}}}

    def twice(points: int, **route: str) -> list[str]:
        """How two requests, one after the other, end that both carry the grant."""
        world.changes = {"routes": [wire | route], "risk": risk(points)}
        world.restart()
        world.clock.now += 61
        found: list[str] = []
        for _ in range(2):
            answer = world.post("alice", "/wire", b"x", step_up_grant=token)
            found.append(answer.kind or (world.runs[-1].context or {})["basis"])
        return found

    world = make_world(routes=[wire], risk=risk(50))
    world.enroll("alice")
    world.post("alice", "/wire", b"x")
    challenge = world.post("alice", "/wire", b"x")
    token = world.verify("alice", challenge, world.code("alice")).json["grant"]
    assert twice(85) == ["below_threshold", "denied"]
    assert twice(50, mode="report") == ["below_threshold", "report_mode"]
    assert _left(world, "alice") == [1]
    assert twice(50) == ["below_threshold", "grant"]
    assert _left(world, "alice") == [0]
