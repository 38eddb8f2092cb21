"""A revocation that lands while a request is on its way: what was looked up before it opens nothing after it, where
whoever sends the request, or the app, has a say in how long that takes."""

from __future__ import annotations

from typing import Any

from stepup_mw import require
from stepup_mw.doors.asgi import AsgiDoor, Scope, Send
from stepup_mw.doors.asgi_input import Message, Receive
from stepup_mw.signals import Subject

from .conftest import MakeWorld
from .world import World, asgi_scope, who

SIGNALS = {"new_device": 5, "own": {"points": 5, "call": "tests.invariants.test_revoked_meanwhile:looks"}}
"""The device is asked about before these, and what they see of the request is the whole of it."""


def looks(subject: Subject) -> bool:
    return subject.body is None


def _browser(world: World, path: str) -> list[tuple[str, str]]:
    """The headers of a browser that is known and has a grant for ``path``."""
    world.enroll("alice")
    cookie = f"stepup-device={world.post('alice', '/transfer').cookies['stepup-device']}"
    given = world.verify("alice", world.post("alice", path, Cookie=cookie), world.code("alice"), Cookie=cookie)
    return [*who("alice"), ("Cookie", cookie), ("Step-Up-Grant", given.json["grant"])]


async def _revoke(world: World) -> None:
    assert await world.stage.faulty_store.inner.revoke_grants("alice") > 0


def test_a_grant_that_is_revoked_before_the_body_is_sent_opens_nothing(make_world: MakeWorld) -> None:
    world = make_world(risk={"signals": SIGNALS})
    headers = _browser(world, "/transfer")
    assert world.ask("POST", "/transfer", headers, b"ab").status == 200

    async def send_slowly() -> int:
        sent: list[Message] = []
        bodies = iter((b"a", b"b"))

        async def receive() -> Message:
            body = next(bodies)
            if body == b"b":
                await _revoke(world)
            return {"type": "http.request", "body": body, "more_body": body == b"a"}

        async def send(message: Message) -> None:
            sent.append(message)

        await world.asgi(asgi_scope("POST", "/transfer", headers, "127.0.0.1"), receive, send)
        return int(sent[0]["status"])

    runs = len(world.runs)
    assert world.runner.run(send_slowly()) == 401
    assert len(world.runs) == runs


def test_a_grant_that_is_revoked_before_the_app_asks_opens_nothing(make_world: MakeWorld) -> None:
    """The door lets the request through below the threshold, and has looked at its grants by then."""
    world = make_world(risk={"signals": SIGNALS})
    meanwhile: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for each in meanwhile:
            await each(world)
        await require(scope, reason="a new name")
        await world._asgi_app(scope, receive, send)

    world.asgi = AsgiDoor(app, world.stage)
    headers = _browser(world, "/rename")
    assert world.ask("POST", "/rename", headers).status == 200
    meanwhile.append(_revoke)
    assert world.ask("POST", "/rename", headers).status == 401
