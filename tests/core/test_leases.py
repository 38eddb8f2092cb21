"""How long an answer may go on: from its proof on, until that is revoked; a store that is away changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.gate.leases import RECHECK_S, Lease
from stepup_mw.gate.services import Services
from stepup_mw.state import Grant, Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.testing.records import put_grant

from .samples import NOW, Clock, make


class Away:
    """A store that can stop answering."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.away = False

    def __getattr__(self, name: str) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        return getattr(self._store, name)


def parts() -> tuple[Services, Clock, Away]:
    clock = Clock()
    services = make(clock=clock)
    store = Away(cast("MemoryStore", services.store))
    return replace(services, store=cast("Store", store)), clock, store


async def begun(services: Services, *, life_s: float = 60, expires_s: float = 300) -> tuple[Lease, Grant]:
    epoch = await services.store.epoch("alice")
    grant = Grant(
        grant_id="g1",
        user="alice",
        session="",
        browser="",
        service="bank",
        scope="route",
        rule="transfer",
        rule_version="",
        binding="",
        method="totp",
        flow_id="f",
        challenge_id="c",
        proved_at=NOW,
        expires_at=NOW + expires_s,
        epoch=epoch,
    )
    await put_grant(services.store, grant)
    return Lease(services, "alice", ends_at=NOW + life_s, epoch=epoch, grant=grant), grant


def test_it_is_asked_again_often_enough_and_ends_with_its_time_for_good() -> None:
    services, clock, _ = parts()

    async def story() -> list[float]:
        lease, _ = await begun(services)
        left = [await lease.left_s()]
        for now in (NOW + 57, NOW + 60, NOW + 1):
            clock.now = now
            left.append(await lease.left_s())
        assert lease.ended == "proof_expired"
        return left

    assert asyncio.run(story()) == [RECHECK_S, 3.0, 0.0, 0.0]


@pytest.mark.parametrize("how", ["grant", "all", "after-the-row-is-gone"])
def test_it_ends_where_its_proof_is_revoked(how: str) -> None:
    services, clock, _ = parts()

    async def story() -> tuple[float, str | None]:
        lease, grant = await begun(services, life_s=3600)
        assert await lease.left_s() == RECHECK_S
        if how == "after-the-row-is-gone":
            clock.now = grant.expires_at + 1
            assert await lease.left_s() == RECHECK_S
        await services.store.revoke_grants("alice", grant.grant_id if how == "grant" else None)
        return await lease.left_s(), lease.ended

    assert asyncio.run(story()) == (0.0, "proof_revoked")


def test_a_store_that_is_away_cuts_nothing_short_and_prolongs_nothing() -> None:
    services, clock, store = parts()

    async def story() -> list[float]:
        lease, _ = await begun(services)
        store.away = True
        left = [await lease.left_s()]
        clock.now = NOW + 60
        return [*left, await lease.left_s()]

    assert asyncio.run(story()) == [RECHECK_S, 0.0]
