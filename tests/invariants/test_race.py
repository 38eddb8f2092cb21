"""What lands between a right code and what follows: it was right, and what it earned is dead, or was given already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import Earned, Given, Right, Taken
from stepup_mw.stores.memory import MemoryStore

from .conftest import MakeWorld
from .world import World, who

End = Callable[[MemoryStore], Awaitable[object]]


class Racing(MemoryStore):
    """A store in which somebody else is faster, once, at a step of the test's choice."""

    def __init__(self, at: str, end: End) -> None:
        super().__init__()
        self._at = at
        self._end: End | None = end

    async def _race(self, at: str) -> None:
        if at == self._at and self._end is not None:
            end, self._end = self._end, None
            await end(self)

    async def take_code(self, right: Right) -> Taken:
        await self._race("before it is taken")
        taken = await super().take_code(right)
        await self._race("after it is taken")
        return taken

    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        await self._race("before the grant")
        return await super().reward(earned, keep_grants=keep_grants, keep_seen=keep_seen)


@pytest.mark.parametrize("at", ["before it is taken", "after it is taken", "before the grant"])
@pytest.mark.parametrize(
    "end",
    [
        lambda store: store.revoke_grants("alice"),
        lambda store: store.raise_epoch("alice"),
    ],
    ids=["revoke", "raise"],
)
def test_a_grant_of_an_ended_epoch_is_never_given(make_world: MakeWorld, at: str, end: End) -> None:
    world = make_world("asgi", "memory")
    world.stage.faulty_store.inner = Racing(at, end)
    world.enroll("alice")
    challenge = world.post("alice", "/transfer")
    answer = world.verify("alice", challenge, world.code("alice"))
    assert (answer.status, answer.kind) == (410, "challenge-gone")
    assert "stepup" not in answer.cookies
    held = world.ask("GET", "/_stepup/grants", who("alice"))
    assert held.json == {"grants": []}
    assert world.steps().count("outcome/approved") == 1

    world.clock.now += 30
    again = world.verify("alice", world.post("alice", "/transfer"), world.code("alice"))
    assert again.status == 200
    assert world.post("alice", "/transfer", step_up_grant=again.json["grant"]).status == 200


def _approved(world: World) -> int:
    return world.steps().count("outcome/approved")


def test_a_right_code_for_a_challenge_that_ends_meanwhile_gives_nothing_and_is_used_up(make_world: MakeWorld) -> None:
    world = make_world("asgi", "memory")
    asked: list[str] = []
    world.stage.faulty_store.inner = Racing(
        "before it is taken", lambda store: store.settle_challenge(asked[0], "denied", now=world.clock.now)
    )
    world.enroll("alice")
    challenge = world.post("alice", "/transfer")
    asked.append(challenge.json["challenge_id"])
    answer = world.verify("alice", challenge, world.code("alice"))
    assert (answer.status, answer.kind, _approved(world)) == (410, "challenge-gone", 0)
    assert world.ask("GET", "/_stepup/grants", who("alice")).json == {"grants": []}
    again = world.verify("alice", world.post("alice", "/transfer"), world.code("alice"))
    assert (again.status, _approved(world)) == (401, 0), "the code was used up"
    assert "challenge/replayed" in world.steps()


@pytest.mark.parametrize("at", ["before it is taken", "after it is taken", "before the grant"])
def test_a_form_that_waits_is_not_run_by_a_code_of_an_ended_epoch(make_world: MakeWorld, at: str) -> None:
    world = make_world("asgi", "memory")
    world.stage.faulty_store.inner = Racing(at, lambda store: store.raise_epoch("alice"))
    world.enroll("alice")
    for number, status in enumerate((410, 200)):
        world.clock.now += 30 * number
        browser = {"accept": "text/html", "sec_fetch_mode": "navigate", "sec_fetch_site": "same-origin"}
        browser["content_type"] = "application/x-www-form-urlencoded"
        asked = world.post("alice", "/wire", b"amount=1", **browser)
        assert asked.status == 303
        browser["cookie"] = f"stepup-device={asked.cookies['stepup-device']}"
        page = (asked.header(b"location") or b"").decode()
        done = world.post("alice", f"{page}/verify", f"code={world.code('alice')}".encode(), **browser)
        assert (done.status, [run.body for run in world.runs]) == (status, [b"amount=1"] * number)


def test_what_follows_a_code_that_came_with_its_request_may_fail(make_world: MakeWorld) -> None:
    """It is on record, and let through; the count stays, and the outcome is told once."""

    async def fail(_: MemoryStore) -> None:
        raise StoreUnavailable("away")

    world = make_world("asgi", "memory")
    world.stage.faulty_store.inner = Racing("before the grant", fail)
    world.enroll("alice")
    assert world.post("alice", "/transfer", step_up_code=world.code("alice")).status == 200
    assert len(world.runs) == 1
    assert world.runner.run(world.stage.faulty_store.inner.failures("alice")) == (1, 0.0)
    world.clock.now += 400
    world.sweep()
    ends = [line for line in world.lines() if line.get("phase") == "outcome"]
    assert {(line["status"], line["event_id"]) for line in ends} == {("approved", ends[0]["event_id"])}
    assert world.post("alice", "/transfer", step_up_code=world.code("alice")).status == 200
    assert world.runner.run(world.stage.faulty_store.inner.failures("alice")) == (0, 0.0)
