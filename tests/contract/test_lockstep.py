"""The stores side by side: whatever happens, in whatever order, each gives the same answer as the memory store."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from stepup_mw.errors import StoreUnavailable
from stepup_mw.settings import AccountThrottle, AddressThrottle
from stepup_mw.state import Carried, Given, Grant, Kept, Shown, Store, Tried
from stepup_mw.stores.bounds import SETTLED_KEPT_S

from .samples import (
    STORES,
    bare,
    make_challenge,
    make_earned,
    make_factor,
    make_grant,
    make_right,
    make_terms,
    put_grant,
    try_challenge,
)

ACCOUNT = AccountThrottle(failures=2, lock_s=10, grow=1.5, max_lock_s=40, ceiling=9)
ADDRESS = AddressThrottle(failures=4, window_s=60)

users = st.sampled_from(["alice", "bob", "é"])
names = st.sampled_from(["x1", "x2", "x3", "x4", "x5"])
addresses = st.sampled_from(["", "ip1", "ip2"])
carriers = st.lists(st.tuples(names, st.booleans()), max_size=3)
few = st.integers(0, 3)
steps = st.integers(-2, 5)
kinds = st.sampled_from(["device", "network"])
states = st.sampled_from(["approved", "denied", "expired", "abandoned", "locked", "error", "open"])
lives = st.sampled_from([0.5, 7.25, 30.0, 400.0])
leaps = st.sampled_from([0.0, 0.25, 1.0, 9.75, 10.0, 60.0, 301.5, float(SETTLED_KEPT_S), -0.5, -30.0])


async def held(store: Store, user: str, now: float) -> list[Grant]:
    return [grant._replace(epoch=0) for grant in await store.grants(user, now=now)]


async def unnumbered(step: Awaitable[Shown]) -> Shown:
    """Without the epochs, which no two stores draw alike."""
    found = await step
    taken = found.taken and found.taken._replace(epoch=0)
    return Shown(found.known, tuple(grant and grant._replace(epoch=0) for grant in found.grants), taken)


class Lockstep(RuleBasedStateMachine):
    kind: str

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lockstep-"))
        self.runner = asyncio.Runner()
        self.model: Store = STORES["memory"](self.folder)
        self.other: Store = STORES[self.kind](self.folder)
        self.now = 1000.0

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.other.aclose())
            self.runner.close()
            shutil.rmtree(self.folder)

    def both(self, call: Callable[[Store], Awaitable[Any]]) -> Any:
        async def answer(store: Store) -> Any:
            try:
                return await call(store)
            except StoreUnavailable:
                return StoreUnavailable

        expected, found = self.runner.run(answer(self.model)), self.runner.run(answer(self.other))
        assert found == expected
        return found

    @rule(by=leaps)
    def time_goes_on(self, by: float) -> None:
        self.now += by

    @rule(user=users, name=names, last=steps, codes=st.lists(names, max_size=3))
    def put_factor(self, user: str, name: str, last: int, codes: list[str]) -> None:
        factor = make_factor(user, name, last_step=last, created_at=self.now)
        self.both(lambda store: store.put_factor(factor, codes))

    @rule(user=users)
    def remove_factors(self, user: str) -> None:
        self.both(lambda store: store.remove_factors(user))

    @rule(user=users, name=names, last=steps, drift=steps, keep=few)
    def add_factor(self, user: str, name: str, last: int, drift: int, keep: int) -> None:
        factor = make_factor(user, name, last_step=last, created_at=self.now, drift=drift, label=f"of {user}")
        self.both(lambda store: store.add_factor(factor, keep=keep))

    @rule(user=users, name=names)
    def remove_factor(self, user: str, name: str) -> None:
        self.both(lambda store: store.remove_factor(user, name))

    @rule(user=users, codes=st.lists(names, max_size=3))
    def put_recovery(self, user: str, codes: list[str]) -> None:
        self.both(lambda store: store.put_recovery(user, codes))

    @rule(user=users, name=names, sealed=st.sampled_from([b"1", b"2", make_factor().sealed]))
    def replace_sealed(self, user: str, name: str, sealed: bytes) -> None:
        self.both(lambda store: store.replace_sealed(user, name, b"1", expected=sealed))

    @rule(user=users, slot=steps)
    def look(self, user: str, slot: int) -> None:
        self.both(lambda store: store.spaced_attempt(user, slot))

    @rule(user=users, step=steps, needed=few)
    def look_ends(self, user: str, step: int, needed: int) -> None:
        self.both(lambda store: store.spaced_success(user, step, now=self.now, needed=needed, within_s=60))

    @rule(user=users)
    def raise_epoch(self, user: str) -> None:
        async def raise_it(store: Store) -> tuple[bool, bool]:
            old = await store.epoch(user)
            new = await store.raise_epoch(user)
            return old == new, new == await store.epoch(user)

        assert self.both(raise_it) == (False, True)

    @rule(user=users, name=names, step=steps, drift=steps)
    def consume_step(self, user: str, name: str, step: int, drift: int) -> None:
        self.both(lambda store: store.consume_step(user, name, step, drift=drift))

    @rule(user=users, step=steps)
    def consume_own_step(self, user: str, step: int) -> None:
        factors = self.both(lambda store: store.factors(user))
        name = factors[0].factor_id if factors else ""
        self.both(lambda store: store.consume_step(user, name, step))

    @rule(user=users, code=names)
    def consume_recovery(self, user: str, code: str) -> None:
        self.both(lambda store: store.consume_recovery(user, code))

    @rule(user=users, address=addresses, times=few)
    def attempt(self, user: str, address: str, times: int) -> None:
        for _ in range(times):
            self.both(lambda store: store.take_attempt(user, address, now=self.now, account=ACCOUNT, limit=ADDRESS))

    @rule(user=users, address=addresses)
    def forgive(self, user: str, address: str) -> None:
        self.both(lambda store: store.forgive(user, address))

    @rule(user=users)
    def unlock(self, user: str) -> None:
        self.both(lambda store: store.unlock(user))

    @rule(
        user=users,
        name=names,
        rule_name=st.sampled_from(["r1", "r2"]),
        life=lives,
        keep=few,
        kinds=st.none() | st.sampled_from([("totp",), ("passkey",), ("totp", "passkey")]),
    )
    def open_challenge(self, user: str, name: str, rule_name: str, life: float, keep: int, kinds: Any) -> None:
        challenge = make_challenge(name, user=user, rule=rule_name, created_at=self.now, expires_at=self.now + life)
        self.both(lambda store: store.open_challenge(challenge, keep=keep, kinds=kinds))

    @rule(name=names, user=users, address=addresses, limit=few)
    def try_challenge(self, name: str, user: str, address: str, limit: int) -> None:
        async def tried(store: Store) -> Tried:
            found = await try_challenge(
                store, name, user, address, now=self.now, attempts=limit, account=ACCOUNT, limit=ADDRESS
            )
            assert found.epoch == (0 if found.number is None else await store.epoch(user))
            return found._replace(epoch=0)

        self.both(tried)

    @rule(name=names, user=users, factor=names, step=steps, drift=steps, told=addresses)
    def take_code(self, name: str, user: str, factor: str, step: int, drift: int, told: str) -> None:
        right = make_right(
            step, user=user, factor_id=factor, drift=drift, told=told, told_s=30, challenge_id=name, at=self.now
        )
        self.both(lambda store: store.take_code(right))

    @rule(user=users, name=names, step=steps)
    def take_own_code(self, user: str, name: str, step: int) -> None:
        factors = self.both(lambda store: store.factors(user))
        own = factors[-1].factor_id if factors else ""
        right = make_right(step, user=user, factor_id=own, challenge_id=name, at=self.now)
        self.both(lambda store: store.take_code(right))

    @rule(
        user=users,
        name=names,
        address=addresses,
        device=addresses,
        seen=st.lists(st.tuples(kinds, names), max_size=2),
        place=st.sampled_from([b"", b"there"]),
        kept=st.booleans(),
        keep=few,
    )
    def reward(self, keep: int, seen: list[Any], **values: Any) -> None:
        values["challenge_id"] = values.pop("name")
        earned = make_earned(seen=tuple(seen), at=self.now, **values)

        async def given(store: Store) -> Given:
            found = await store.reward(earned, keep_grants=9, keep_seen=keep)
            return found._replace(epoch=0)

        self.both(given)

    @rule(user=users, name=names, life=lives, limit=few)
    def keep_request(self, user: str, name: str, life: float, limit: int) -> None:
        kept = Kept(kept_id=f"{name}{user}", user=user, sealed=name.encode(), expires_at=self.now + life)
        self.both(lambda store: store.keep_request(kept, now=self.now, limit=limit))

    @rule(name=names, state=states)
    def settle(self, name: str, state: Any) -> None:
        self.both(lambda store: store.settle_challenge(name, state, now=self.now))

    @rule(name=names)
    def mark_logged(self, name: str) -> None:
        self.both(lambda store: store.mark_logged(name))

    @rule(grace_s=st.sampled_from([0.0, 10.0]), limit=few)
    def due(self, grace_s: float, limit: int) -> None:
        self.both(lambda store: store.due_challenges(now=self.now, grace_s=grace_s, limit=limit))

    @rule(user=users, name=names, life=lives, uses=st.sampled_from([None, 0, 1, 2]), keep=few, live=st.booleans())
    def put_grant(self, user: str, name: str, life: float, uses: int | None, keep: int, live: bool) -> None:
        grant = make_grant(name, user=user, proved_at=self.now, expires_at=self.now + life, uses_left=uses)

        async def put(store: Store) -> bool:
            return await put_grant(store, grant._replace(epoch=await store.epoch(user) if live else 1), keep=keep)

        self.both(put)

    @rule(
        user=users, carried=carriers, browser=st.sampled_from(["b1", "b2"]), name=st.sampled_from(["transfer", "wire"])
    )
    def use_grant(self, user: str, carried: list[tuple[str, bool]], browser: str, name: str) -> None:
        terms = make_terms(user=user, browser=browser, rule=name, now=self.now)
        tokens = [Carried(*each) for each in carried]
        self.both(lambda store: unnumbered(store.use_grant(user, "x1", tokens, terms)))

    @rule(user=users, device=names, carried=st.lists(names, max_size=3))
    def look_at_what_is_shown(self, user: str, device: str, carried: list[str]) -> None:
        self.both(lambda store: unnumbered(store.shown(user, device, carried)))

    @rule(user=users, name=st.none() | names)
    def revoke(self, user: str, name: str | None) -> None:
        self.both(lambda store: store.revoke_grants(user, name))

    @rule(user=users, kind=kinds, value=names, keep=few)
    def remember(self, user: str, kind: Any, value: str, keep: int) -> None:
        self.both(lambda store: store.remember(user, kind, value, now=self.now, keep=keep))

    @rule(user=users, value=names)
    def put_place(self, user: str, value: str) -> None:
        self.both(lambda store: store.put_place(user, value.encode(), now=self.now))

    @rule(key=addresses, record=st.booleans())
    def hit(self, key: str, record: bool) -> None:
        self.both(lambda store: store.hits(key, now=self.now, window_s=30, record=record))

    @rule(user=users)
    def look_at_a_user(self, user: str) -> None:
        self.both(lambda store: store.factors(user))
        self.both(lambda store: store.recovery_left(user))
        self.both(lambda store: store.failures(user))
        self.both(lambda store: store.place(user))
        self.both(lambda store: held(store, user, self.now))
        self.both(lambda store: store.latest_challenge(user, "s1", "r1", "", now=self.now))

    @rule(name=names, user=users, kind=kinds)
    def look_at_a_name(self, name: str, user: str, kind: Any) -> None:
        self.both(lambda store: bare(store, name))
        self.both(lambda store: store.challenge(name))
        self.both(lambda store: store.sighting(user, kind, name))

    @rule()
    def look_at_all(self) -> None:
        self.both(lambda store: store.users())


@pytest.mark.parametrize("kind", [kind for kind in STORES if kind != "memory"])
def test_every_store_answers_as_the_memory_store_does(kind: str) -> None:
    machine = type("Side", (Lockstep,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
