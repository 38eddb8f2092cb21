"""A revocation that lands between the proof and its grant: the code was right, and what it earned is dead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from stepup_mw.state import Earned, Given, Right, Taken
from stepup_mw.stores.memory import MemoryStore

from .conftest import MakeWorld
from .world import who

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
