"""A revocation that lands between the proof and its grant: the code was right, and what it earned is dead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from stepup_mw.state import Grant
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

    async def put_grant(self, grant: Grant, *, keep: int) -> bool:
        await self._race("put")
        return await super().put_grant(grant, keep=keep)

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        await self._race("before consume")
        taken = await super().consume_step(user, factor_id, step, drift=drift)
        await self._race("after consume")
        return taken

    async def forgive(self, user: str, address: str) -> None:
        await super().forgive(user, address)
        await self._race("forgive")


@pytest.mark.parametrize("at", ["before consume", "after consume", "forgive", "put"])
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
