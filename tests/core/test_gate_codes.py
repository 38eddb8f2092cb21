"""Invariants 14 and 18: one success for each user and time step, and a secret that changes only by proof."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from stepup_mw.gate import Gate
from stepup_mw.gate.codes import judge_code
from stepup_mw.gate.pending import TTL_S, new_pending, open_pending
from stepup_mw.gate.targets import MAX_TARGET, open_target, seal_target
from stepup_mw.gate.visit import Person
from stepup_mw.messages import Response
from stepup_mw.state import Factor, Store
from stepup_mw.stores.memory import MemoryStore
from stepup_mw.stores.sqlite import SqliteStore
from stepup_mw.totp import MAX_DRIFT, format_code, time_step

from .samples import NOW, Clock, Shelf, make, make_request

SECRETS = [base64.b32encode(bytes([number] * 20)).decode() for number in range(1, 4)]
ALICE = Person(user="alice", session="h:s1", device="")
NUMBERS = itertools.count()
STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda path: SqliteStore(path / f"{next(NUMBERS)}.db"),
}


def services_on(store: Store, shelf: Shelf | None = None, clock: Clock | None = None, **changes: Any) -> Any:
    return replace(make(shelf, clock, **changes), store=store)


async def add(services: Any, secret: str, number: int = 0) -> None:
    sealed = services.keyring.seal("totp", secret.encode(), "alice")
    await services.store.add_factor(
        Factor(user="alice", factor_id=f"f{number}", sealed=sealed, created_at=NOW + number)
    )


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(st.tuples(st.integers(-90, 90), st.integers(0, 2), st.integers(-4, 4)), min_size=1, max_size=12),
    window=st.integers(0, 2),
)
def test_of_every_user_the_steps_taken_rise_whatever_the_clock_and_the_device(
    kind: str, tmp_path: Path, moves: list[tuple[int, int, int]], window: int
) -> None:
    """Three authenticators, each off by its own, and a clock that jumps both ways."""

    async def run() -> None:
        store = STORES[kind](tmp_path)
        services = services_on(store, challenge={"window": window})
        for number, secret in enumerate(SECRETS):
            await add(services, secret, number)
        taken: list[int] = []
        now = NOW
        for jump, number, offset in moves:
            now += jump
            step = time_step(now) + offset
            code = format_code(SECRETS[number], step)
            judged = await judge_code(services, "alice", code, allowed=("totp",), now=now)
            if judged.verdict == "right":
                assert not taken or step > taken[-1]
                assert abs(offset) <= (window + MAX_DRIFT if window else 0)
                taken.append(step)
            again = await judge_code(services, "alice", code, allowed=("totp",), now=now)
            assert again.verdict != "right"
        for held in await store.factors("alice"):
            assert abs(held.drift) <= (MAX_DRIFT if window else 0)
        await store.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("kind", STORES)
def test_one_success_a_step_from_sixty_four_at_once(kind: str, tmp_path: Path) -> None:
    async def run() -> list[str]:
        store = STORES[kind](tmp_path)
        services = services_on(store)
        for number, secret in enumerate(SECRETS):
            await add(services, secret, number)
        codes = [format_code(SECRETS[number % 3], time_step(NOW)) for number in range(64)]
        tries = [judge_code(services, "alice", code, allowed=("totp",), now=NOW) for code in codes]
        found: list[str] = [judged.verdict for judged in await asyncio.gather(*tries)]
        await store.aclose()
        return found

    verdicts = asyncio.run(run())
    assert verdicts.count("right") == 1
    assert set(verdicts) == {"right", "replayed"}


def test_a_step_taken_from_one_is_taken_from_all() -> None:
    """Also where only the younger knows it: it was brought in from elsewhere."""
    services = make()

    async def run() -> list[str]:
        await add(services, SECRETS[0])
        sealed = services.keyring.seal("totp", SECRETS[1].encode(), "alice")
        await services.store.add_factor(
            Factor(user="alice", factor_id="f1", sealed=sealed, created_at=NOW + 1, last_step=time_step(NOW))
        )
        codes = [format_code(SECRETS[0], time_step(NOW)), format_code(SECRETS[0], time_step(NOW) + 1)]
        tries = [await judge_code(services, "alice", code, allowed=("totp",), now=NOW) for code in codes]
        return [judged.verdict for judged in tries]

    assert asyncio.run(run()) == ["replayed", "right"]


def test_a_row_that_does_not_open_counts_for_nothing() -> None:
    services = make()

    async def run() -> str:
        await services.store.add_factor(Factor(user="alice", factor_id="x", sealed=b"moved here", created_at=NOW))
        await add(services, SECRETS[0], 1)
        judged = await judge_code(
            services, "alice", format_code(SECRETS[0], time_step(NOW)), allowed=("totp",), now=NOW
        )
        return judged.verdict

    assert asyncio.run(run()) == "right"


@given(st.binary(max_size=80), st.text(max_size=40))
def test_no_token_but_ours_is_a_pending_secret_or_a_target(noise: bytes, text: str) -> None:
    services = make()
    pending = new_pending(services, ALICE, NOW)
    for token in (text, noise.hex(), pending.token[:-2] + "AA", seal_target(services, ALICE, "/x")):
        assert token == pending.token or open_pending(services, ALICE, token, NOW) is None
    for token in (text, noise.hex(), pending.token):
        assert open_target(services, ALICE, token) == ""


def test_a_pending_secret_and_a_target_are_of_their_person() -> None:
    services = make()
    pending, target = new_pending(services, ALICE, NOW), seal_target(services, ALICE, "/back?x=1")
    assert pending.secret not in repr(pending)
    assert len(base64.b32decode(pending.secret)) == 20
    found = open_pending(services, ALICE, pending.token, NOW + TTL_S - 1)
    assert found == pending
    assert open_pending(services, ALICE, pending.token, NOW + TTL_S) is None
    assert open_target(services, ALICE, target) == "/back?x=1"
    for other in (Person(user="bob", session="h:s1", device=""), Person(user="alice", session="h:s2", device="")):
        assert open_pending(services, other, pending.token, NOW) is None
        assert open_target(services, other, target) == ""
    assert seal_target(services, ALICE, "/" + "x" * MAX_TARGET) == ""


@dataclass
class Device:
    """An authenticator in the model: its secret, the id it has, and whether it counts."""

    secret: str
    factor_id: str


@dataclass
class Begun:
    token: str
    secret: str
    used: bool = False
    begun_at: float = 0.0


@dataclass
class Model:
    active: list[Device] = field(default_factory=list)
    last_step: int = -1


class Enrolling(RuleBasedStateMachine):
    """A person, a thief in the person's session without the authenticator, and a clock. What verifies is always what
    the model says: confirmed, and proven by what was there before."""

    pendings: Bundle[Begun] = Bundle("pendings")

    @initialize()
    def start(self) -> None:
        self.clock, self.shelf = Clock(), Shelf()
        self.services = make(
            self.shelf,
            self.clock,
            challenge={"enroll": "self"},
            throttle={"account": {"failures": 100, "ceiling": 100}},
        )
        self.gate = Gate(self.services)
        self.model = Model()

    def call(self, method: str, body: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        data = orjson.dumps(body or {})

        async def read(_limit: int) -> bytes:
            return data

        headers = {"X-Auth-User": "alice", "X-Auth-Session": "s1", "Content-Type": "application/json"}
        request = make_request(method=method, path="/_stepup/enroll", headers=headers, read_body=read)
        answer = asyncio.run(self.gate.handle(request))
        assert isinstance(answer, Response)
        return answer.status, orjson.loads(answer.body)

    def code(self, secret: str) -> str:
        return format_code(secret, time_step(self.clock.now))

    @rule(seconds=st.sampled_from([31, 60, 120, TTL_S]))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule(target=pendings)
    def begin(self) -> Begun:
        status, body = self.call("GET")
        assert status == 200
        return Begun(token=body["pending"], secret=body["secret"], begun_at=self.clock.now)

    @precondition(lambda self: not self.model.active)
    @rule(begun=pendings, right=st.booleans())
    def enroll_first(self, begun: Begun, right: bool) -> None:
        status, body = self.call("POST", {"pending": begun.token, "code": self.code(begun.secret) if right else "x"})
        if status == 200:
            assert right
            self.confirmed(begun, body)
        else:
            assert not right or begun.used or self.clock.now >= begun.begun_at + TTL_S

    @precondition(lambda self: self.model.active)
    @rule(begun=pendings, proof=st.sampled_from(["none", "new", "old", "garbage"]), replaces=st.booleans())
    def enroll_more(self, begun: Begun, proof: str, replaces: bool) -> None:
        old = self.model.active[0]
        current = {"none": "", "new": self.code(begun.secret), "old": self.code(old.secret), "garbage": "000000"}[proof]
        body = {"pending": begun.token, "code": self.code(begun.secret), "current_code": current}
        status, told = self.call("POST", {**body, "replace": old.factor_id if replaces else ""})
        if status == 200:
            assert proof == "old" or any(begun.secret == device.secret for device in self.model.active)
            assert time_step(self.clock.now) > self.model.last_step
            self.model.last_step = time_step(self.clock.now)
            if replaces:
                self.model.active.remove(old)
            self.confirmed(begun, told)

    @precondition(lambda self: len(self.model.active) > 1)
    @rule(proof=st.sampled_from(["none", "old"]))
    def remove(self, proof: str) -> None:
        gone, kept = self.model.active[0], self.model.active[-1]
        body = {"action": "remove", "factor_id": gone.factor_id}
        status, _ = self.call("POST", {**body, "current_code": self.code(kept.secret) if proof == "old" else ""})
        if status == 200:
            assert proof == "old"
            assert time_step(self.clock.now) > self.model.last_step
            self.model.last_step = time_step(self.clock.now)
            self.model.active.remove(gone)

    def confirmed(self, begun: Begun, body: dict[str, Any]) -> None:
        assert not begun.used
        assert self.clock.now < begun.begun_at + TTL_S
        begun.used = True
        self.model.active.append(Device(secret=begun.secret, factor_id=body["factor_id"]))
        self.model.last_step = max(self.model.last_step, time_step(self.clock.now))

    @rule(begun=consumes(pendings))
    def try_unconfirmed(self, begun: Begun) -> None:
        """An unconfirmed secret never verifies, and one that is confirmed verifies once a step."""
        active = any(begun.secret == device.secret for device in self.model.active)
        fresh = time_step(self.clock.now) > self.model.last_step
        judged = asyncio.run(
            judge_code(self.services, "alice", self.code(begun.secret), allowed=("totp",), now=self.clock.now)
        )
        assert (judged.verdict == "right") == (active and fresh)
        if judged.verdict == "right":
            self.model.last_step = time_step(self.clock.now)

    @invariant()
    def the_store_holds_what_was_confirmed(self) -> None:
        held = asyncio.run(self.services.store.factors("alice"))
        secrets = {self.services.keyring.unseal("totp", factor.sealed, "alice").decode() for factor in held}
        assert secrets == {device.secret for device in self.model.active}

    @invariant()
    def every_change_is_on_record(self) -> None:
        phases = [line["phase"] for line in self.shelf.lines() if line["event_type"] == "enrollment"]
        assert phases.count("enrolled") - phases.count("removed") == len(self.model.active)


TestEnrolling = Enrolling.TestCase
TestEnrolling.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_a_form_and_a_document_say_the_same() -> None:
    """The same change by the page's form: a page, and the same in the store."""
    services = make(Shelf(), challenge={"enroll": "self"})
    pending = new_pending(services, _person(services), NOW)
    form = urlencode({"pending": pending.token, "code": format_code(pending.secret, time_step(NOW)), "label": "x"})

    async def read(_limit: int) -> bytes:
        return form.encode()

    headers = {"X-Auth-User": "alice", "X-Auth-Session": "s1", "Content-Type": "application/x-www-form-urlencoded"}
    request = make_request(path="/_stepup/enroll", headers=headers, read_body=read)
    answer = asyncio.run(Gate(services).handle(request))
    assert isinstance(answer, Response)
    assert (answer.status, b"Authenticator confirmed" in answer.body) == (200, True)
    assert [factor.label for factor in asyncio.run(services.store.factors("alice"))] == ["x"]


def _person(services: Any) -> Person:
    return Person(user="alice", session=services.keyring.digest("session", "s1"), device="")
