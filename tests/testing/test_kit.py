"""The kit names the promise that a store breaks. Each defect here is a store that a hurried person could write."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from stepup_mw.errors import StoreUnavailable
from stepup_mw.state import (
    Attempt,
    Carried,
    Challenge,
    Earned,
    Factor,
    Given,
    Guess,
    Kept,
    Loss,
    Place,
    Right,
    Shown,
    Sighting,
    Store,
    Taken,
    Terms,
    Tried,
)
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.testing import StoreFault, check_losses, check_store, check_store_async, loss_promises, store_promises
from stepup_mw.testing.records import put_grant

from ..stores.kept import KeptFile


class LooksThenLeaps(MemoryStore):
    """Reads, waits, writes."""

    async def consume_step(self, user: str, factor_id: str, step: int, *, drift: int = 0) -> bool:
        free = any(each.factor_id == factor_id and each.last_step < step for each in await self.factors(user))
        await asyncio.sleep(0)
        await super().consume_step(user, factor_id, step, drift=drift)
        return free


class CountsAfter(MemoryStore):
    async def take_attempt(self, user: str, address: str, **limits: Any) -> Attempt:
        failures, locked_until = await self.failures(user)
        if locked_until > limits["now"]:
            return Attempt(allowed=False, failures=failures, locked_until=locked_until)
        await asyncio.sleep(0)
        await super().take_attempt(user, address, **limits)
        return Attempt(allowed=True, failures=failures + 1, locked_until=0.0)


class SettlesTwice(MemoryStore):
    async def settle_challenge(self, challenge_id: str, state: Any, *, now: float) -> bool:
        challenge = await self.challenge(challenge_id)
        await asyncio.sleep(0)
        await super().settle_challenge(challenge_id, state, now=now)
        return challenge is not None and challenge.state == "open" and state != "open"


class UsesTwice(MemoryStore):
    async def use_grant(self, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
        found = await self.shown(user, device, [each.grant_id for each in carried])
        pairs = zip(carried, found.grants, strict=True)
        taken = next((grant for each, grant in pairs if grant and terms.take(grant, portable=each.portable)), None)
        await asyncio.sleep(0)
        await super().use_grant(user, device, carried, terms)
        return found._replace(taken=taken)


class UsesWhatever(MemoryStore):
    """The terms are asked once the use is gone."""

    async def use_grant(self, user: str, device: str, carried: Sequence[Carried], terms: Terms) -> Shown:
        for each in carried:
            grant = self._grants.get(each.grant_id)
            if grant is not None and grant.uses_left:
                used = grant._replace(uses_left=grant.uses_left - 1)
                self._grants._all[each.grant_id] = (used, 0)
                fits = terms.take(grant, portable=each.portable)
                found = await self.shown(user, device, [one.grant_id for one in carried])
                return found._replace(taken=used if fits else None)
        return await self.shown(user, device, [each.grant_id for each in carried])


class AsksAnyone(MemoryStore):
    async def open_challenge(self, challenge: Challenge, *, keep: int, kinds: Any = None) -> Any:
        able = kinds is None or any(each.proves(kinds) for each in await self.factors(challenge.user))
        opened = await super().open_challenge(challenge, keep=keep)
        return opened if able else None


class GivesTwice(MemoryStore):
    async def due_challenges(self, *, now: float, grace_s: float, limit: int) -> tuple[Challenge, ...]:
        del grace_s
        return await super().due_challenges(now=now, grace_s=-1.0, limit=limit)


class KeepsOldGrants(MemoryStore):
    async def put_factor(self, factor: Factor, recovery: Sequence[str]) -> bool:
        held, epoch = await self.grants(factor.user, now=0.0), await self.epoch(factor.user)
        before = await super().put_factor(factor, recovery)
        self._grants._epochs[factor.user] = epoch
        for grant in reversed(held):
            await put_grant(self, grant, keep=99)
        return before


class TakesLateGrants(MemoryStore):
    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        if earned.grant is not None:
            self._grants._epochs[earned.user] = earned.grant.epoch
        return await super().reward(earned, keep_grants=keep_grants, keep_seen=keep_seen)


class TakesTwice(MemoryStore):
    """Looks at a code in one step, and takes it in another."""

    async def take_code(self, right: Right) -> Taken:
        held = await self.factors(right.user)
        free = all(each.last_step < right.step for each in held) and right.factor_id in [
            each.factor_id for each in held
        ]
        was_told = await self.hits(right.told, now=right.at, window_s=right.told_s, record=False) > 1
        await asyncio.sleep(0)
        if was_told or not free:
            return Taken(taken=False)
        await super().take_code(right)
        challenge = await self.challenge(right.challenge_id)
        return Taken(taken=True, settled=challenge is not None and challenge.settled_at == right.at)


class SettlesFirst(MemoryStore):
    """Gives the code back where its challenge has ended."""

    async def take_code(self, right: Right) -> Taken:
        challenge = await self.challenge(right.challenge_id)
        if challenge is None or challenge.state != "open":
            return Taken(taken=False)
        return await super().take_code(right)


class SettlesForAnybody(MemoryStore):
    async def take_code(self, right: Right) -> Taken:
        taken = await super().take_code(right)
        settled = taken.taken and await self.settle_challenge(right.challenge_id, "approved", now=right.at)
        return Taken(taken.taken, taken.settled or settled)


class CountsWhileLocked(MemoryStore):
    """Counts the attempt of the challenge before it asks whether there may be one."""

    async def try_challenge(self, guess: Guess) -> Tried:
        challenge_id, user, address, now, attempts, account, limit = guess
        with self._lock:
            number = self._challenges.count_attempt(challenge_id, user, limit=attempts)
        attempt = await self.take_attempt(user, address, now=now, account=account, limit=limit)
        if not attempt.allowed or number is None:
            return Tried(attempt)
        return Tried(attempt, number, await self.epoch(user), await self.factors(user))


class RewardsTwice(MemoryStore):
    async def reward(self, earned: Earned, *, keep_grants: int, keep_seen: int) -> Given:
        kept = await self.kept_request(earned.user, earned.challenge_id, now=earned.at) if earned.kept else None
        await asyncio.sleep(0)
        given = await super().reward(earned, keep_grants=keep_grants, keep_seen=keep_seen)
        return given._replace(kept=kept)


class ForgetsTheLock(MemoryStore):
    async def remove_factors(self, user: str) -> int:
        await self.unlock(user)
        return await super().remove_factors(user)


class KnowsEveryone(MemoryStore):
    async def sighting(self, user: str, kind: Any, value: str) -> Sighting:
        del user
        return await super().sighting("anyone", kind, value)

    async def remember(self, user: str, kind: Any, value: str, *, now: float, keep: int) -> None:
        del user
        await super().remember("anyone", kind, value, now=now, keep=keep)


class KnowsOnePlace(MemoryStore):
    async def put_place(self, user: str, sealed: bytes, *, now: float) -> None:
        del user
        await super().put_place("anyone", sealed, now=now)

    async def place(self, user: str) -> Place | None:
        del user
        return await super().place("anyone")


class GivesARequestTwice(MemoryStore):
    async def take_request(self, user: str, kept_id: str, *, now: float) -> Kept | None:
        found = await self.kept_request(user, kept_id, now=now)
        await asyncio.sleep(0)
        await super().take_request(user, kept_id, now=now)
        return found


class IsDown(MemoryStore):
    async def factors(self, user: str) -> tuple[Factor, ...]:
        del user
        raise StoreUnavailable("down")


DEFECTS: dict[type[Store], str] = {
    LooksThenLeaps: "one_takes_the_step_on_one_loop",
    CountsAfter: "the_budget_holds_on_one_loop",
    SettlesTwice: "one_settles_on_one_loop",
    UsesTwice: "one_uses_the_grant_on_one_loop",
    UsesWhatever: "a_use_is_taken_on_all_its_terms",
    AsksAnyone: "only_who_can_prove_is_asked",
    GivesTwice: "one_is_given_what_is_due_on_one_loop",
    KeepsOldGrants: "a_new_factor_replaces_all",
    TakesLateGrants: "a_grant_of_an_ended_epoch_is_dead",
    ForgetsTheLock: "removing_leaves_the_count_of_failures",
    KnowsEveryone: "sightings_are_of_a_user_and_kind",
    KnowsOnePlace: "the_last_place_of_a_user_is_kept",
    GivesARequestTwice: "a_kept_request_is_taken_once",
    TakesTwice: "one_takes_the_code_on_one_loop",
    SettlesFirst: "a_code_for_an_ended_challenge_is_used_up",
    SettlesForAnybody: "a_code_for_an_ended_challenge_is_used_up",
    CountsWhileLocked: "a_refused_try_counts_nothing",
    RewardsTwice: "one_is_given_the_request_on_one_loop",
    IsDown: "factors_come_back",
}


def test_a_store_that_keeps_all_passes_from_a_test_without_a_loop() -> None:
    check_store(MemoryStore)


def test_a_store_that_is_made_in_a_loop_passes_inside_one() -> None:
    async def factory() -> Store:
        await asyncio.sleep(0)
        return MemoryStore()

    asyncio.run(check_store_async(factory))


@pytest.mark.parametrize(("defect", "name"), DEFECTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_a_defect_breaks_the_promise_that_names_it(defect: type[Store], name: str) -> None:
    broken = {}
    for promise in store_promises():
        try:
            promise.check(defect)
        except StoreFault as fault:
            broken[fault.promise] = str(fault)
    assert name in broken
    assert broken[name].startswith(f"{name}: ")
    assert len(broken) < len(store_promises())


def test_a_fault_is_an_assertion_and_says_what_was_found() -> None:
    with pytest.raises(AssertionError, match="one_settles") as fault:
        check_store(SettlesTwice)
    assert isinstance(fault.value, StoreFault)
    assert "found" in fault.value.detail or "wanted" in fault.value.detail


def test_promises_have_names_of_their_own_and_words() -> None:
    promises = store_promises()
    assert len({promise.name for promise in promises}) == len(promises) >= 60
    assert all(promise.words.endswith(".") for promise in promises)


class Shelf:
    """A place for a store that remembers nothing outside of itself, though it can be put back and emptied."""

    now = 1_795_418_700.0

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self._copy: Any = None

    def open(self) -> Store:
        return self.kept

    def copy(self) -> None:
        self._copy = {name: deepcopy(part) for name, part in vars(self.kept).items() if name not in ("_sole", "_lock")}

    def put_back(self) -> None:
        vars(self.kept).update(self._copy)

    def empty(self) -> None:
        self.kept = MemoryStore()


def test_a_store_that_does_not_know_what_it_lost_breaks_what_is_promised_of_those_that_do() -> None:
    broken = []
    for promise in loss_promises():
        try:
            promise.check(Shelf)
        except StoreFault as fault:
            broken.append(fault.promise)
    assert broken == [promise.name for promise in loss_promises() if promise.name != "restart"]
    with pytest.raises(StoreFault, match="a_recovery_code_stays_used_up: What was used up"):
        check_losses(Shelf)


class Forgets(SqliteStore):
    """Accepts a loss by itself."""

    async def loss(self) -> Loss | None:
        await self.accept_loss()
        return await super().loss()


def test_a_file_keeps_what_is_promised_of_losses_and_a_defect_does_not(tmp_path: Path) -> None:
    numbers = count()

    def make() -> KeptFile:
        return KeptFile(tmp_path / str(next(numbers)))

    check_losses(make)
    opened: list[Store] = []

    class Careless(KeptFile):
        def open(self, host: str = "web-1") -> Store:  # noqa: ARG002 - one host
            witness = self.folder / "audit" / ".stepup.store"
            opened.append(Forgets(self.path, witness=witness, clock=lambda: self.now))
            return opened[-1]

    with pytest.raises(StoreFault, match="the loss is known"):
        check_losses(lambda: Careless(tmp_path / str(next(numbers))))
    for store in opened:
        asyncio.run(store.aclose())


def test_the_kit_needs_no_test_framework_and_no_client() -> None:
    code = (
        "import sys, stepup_mw.testing; print(sorted({'pytest', 'hypothesis', 'redis', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
