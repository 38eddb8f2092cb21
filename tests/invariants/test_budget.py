"""Invariants 15 to 17, 19 and 20: one budget of guesses, moved by its owner only; a lock that tells nothing; one end.

Every code that is looked at has been counted before, whatever happens to the request that brought it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepup_mw.messages import Request
from stepup_mw.state import Challenge

from .conftest import MakeWorld
from .world import Answer, World, asgi_scope, who

PATHS = ("/transfer", "/wire", "/payroll")


def failures(world: World, user: str) -> tuple[int, float]:
    found: tuple[int, float] = world.runner.run(world.stage.faulty_store.inner.failures(user))
    return found


def _inline(world: World, user: str, code: str) -> Answer:
    return world.post(user, "/transfer", step_up_code=code.encode().decode("latin-1"))


def _verify(world: World, user: str, code: str) -> Answer:
    challenge = world.post(user, "/wire")
    return world.verify(user, challenge, code) if challenge.kind == "challenge-required" else challenge


def _form(world: World, user: str, code: str) -> Answer:
    """The page of a challenge."""
    challenge = world.post(user, "/wire")
    if challenge.kind != "challenge-required":
        return challenge
    body = urlencode({"code": code}).encode()
    return world.post(user, challenge.json["verify_url"], body, content_type=FORM, accept="text/html")


def _own(page: str, **fields: Any) -> Callable[[World, str, str], Answer]:
    def send(world: World, user: str, code: str) -> Answer:
        sent = orjson.dumps({**fields, "current_code": code})
        return world.post(user, f"/_stepup/{page}", sent, content_type="application/json")

    return send


def _new(world: World, user: str, code: str) -> Answer:
    """The code of a new authenticator is wrong."""
    begun = world.ask("GET", "/_stepup/enroll", who(user))
    if begun.status != 200:
        return begun
    sent = {"pending": begun.json["pending"], "code": "000000" if code != "000000" else "111111", "current_code": code}
    return world.post(user, "/_stepup/enroll", orjson.dumps(sent), content_type="application/json")


def _lost_phone(world: World, user: str, _: str) -> Answer:
    """A recovery code that is none."""
    return _verify(world, user, "AAAA-BBBB-CCCC-DDDD")


FORM = "application/x-www-form-urlencoded"
CHANNELS: dict[str, Callable[[World, str, str], Answer]] = {
    "inline": _inline,
    "verify": _verify,
    "page": _form,
    "new recovery codes": _own("enroll", action="recovery_codes"),
    "security": _own("security", revoke=["g1"]),
}
"""Where a code of what one has is sent."""
GUESSES = {**CHANNELS, "a new authenticator": _new, "recovery": _lost_phone}


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_all_channels_share_one_budget_with_faults_between(make_world: MakeWorld, data: st.DataObject) -> None:
    """Wrong codes over any channel, each with the store or the trail going away after some steps: in all, no more
    than the budget is looked at before the lock, and each look is on the count."""
    world = make_world("asgi", data.draw(st.sampled_from(["memory", "sqlite"])))
    world.enroll("alice")
    wrong = world.wrong("alice")
    for _ in range(12):
        channel = data.draw(st.sampled_from(sorted(GUESSES)))
        world.stage.faulty_store.fail_after = data.draw(st.none() | st.integers(0, 12))
        world.stage.faulty_trail.fail_after = data.draw(st.none() | st.integers(0, 3))
        GUESSES[channel](world, "alice", wrong)
        world.stage.faulty_store.fail_after = world.stage.faulty_trail.fail_after = None
        allowed = [attempt for user, _, attempt in world.attempts if user == "alice" and attempt and attempt.allowed]
        assert len(allowed) == failures(world, "alice")[0] <= 5
    lines = [line for line in world.lines() if line.get("user_id") == "alice" and _is_rejection(line)]
    assert len(lines) <= 5, "no more than one line a code"


def _is_rejection(line: Mapping[str, Any]) -> bool:
    """Of a code that was looked at."""
    if line["event_type"] == "enrollment":
        return bool(line["phase"] == "rejected" and line["detail"]["verdict"] != "locked")
    return line.get("status") == "rejected"


@pytest.mark.parametrize("channel", GUESSES)
def test_each_channel_counts_its_guess_once_and_the_lock_of_one_is_the_lock_of_all(
    make_world: MakeWorld, channel: str
) -> None:
    world = make_world("asgi", "memory")
    world.enroll("alice")
    wrong = world.wrong("alice")
    for number in range(1, 6):
        assert failures(world, "alice")[0] == number - 1
        assert GUESSES[channel](world, "alice", wrong).status == 401
    before = failures(world, "alice")
    assert before == (5, world.clock.now + 30)
    for other, send in CHANNELS.items():
        for code in (world.code("alice"), wrong, world.recovery["alice"][0]):
            assert send(world, "alice", code).status == 429, other
    assert failures(world, "alice") == before
    world.clock.now += 31
    assert _inline(world, "alice", world.code("alice")).status == 200, "no code was taken while it was locked"


@pytest.mark.parametrize("turns", [1, 2, 3, 5, 8, 13, 21, 34])
def test_who_hangs_up_has_been_counted_or_was_never_judged(make_world: MakeWorld, turns: int) -> None:
    """The connection is gone after some turns of the loop, again and again: the account locks all the same."""
    world = make_world("asgi", "sqlite")
    world.enroll("alice")
    wrong = world.wrong("alice")
    challenge = world.post("alice", "/transfer").json
    judged = 0

    async def hang_up() -> None:
        target = challenge["verify_url"]
        body = orjson.dumps({"code": wrong})
        scope = asgi_scope("POST", target, who("alice"), "127.0.0.1")

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(_: Any) -> None: ...

        task = asyncio.ensure_future(world.asgi(scope, receive, send))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.02)  # a step that has begun runs to its end

    for _ in range(7):
        world.runner.run(hang_up())
        judged = max(judged, failures(world, "alice")[0])
        assert failures(world, "alice")[0] >= judged, "a count is never lost"
    assert failures(world, "alice")[0] <= 5


def test_nobody_elses_success_or_failure_moves_a_count(world: World, user: str) -> None:
    other = f"{user}-other"
    world.enroll(other)
    for _ in range(3):
        _inline(world, user, world.wrong(user))
    before = failures(world, user)
    assert before[0] == 3
    challenge = world.post(user, "/transfer")
    assert _inline(world, other, world.code(other)).status == 200
    for code in (world.code(user), world.wrong(user), world.code(other)):
        assert world.verify(other, challenge, code).kind == "challenge-gone"
        assert world.verify("", challenge, code).kind == "login-required"
    _inline(world, other, world.wrong(other))
    assert failures(world, user) == before
    assert _inline(world, user, world.code(user)).status == 200
    assert failures(world, user) == (0, 0.0)
    assert failures(world, other)[0] == 1


@pytest.mark.parametrize(
    ("addresses", "share"),
    [
        (["203.0.113.9", "::ffff:203.0.113.9", "203.0.113.9"], True),
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:DB8:1:2:0:0:0:7"], True),
        (["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1"], False),
        (["203.0.113.9", "203.0.113.10", "203.0.113.11"], False),
    ],
    ids=["one spelt twice", "one line's /64", "three lines", "three addresses"],
)
def test_an_address_has_one_budget_over_accounts_in_whatever_spelling(
    make_world: MakeWorld, addresses: list[str], share: bool
) -> None:
    world = make_world("asgi", "memory", throttle={"address": {"failures": 2, "window": "10m"}})
    found = []
    for number, address in enumerate(addresses):
        world.enroll(f"user{number}")
        headers = [*who(f"user{number}"), ("X-Forwarded-For", address), ("Step-Up-Code", world.wrong(f"user{number}"))]
        found.append(world.ask("POST", "/transfer", headers).status)
    assert found == [401, 401, 429 if share else 401]
    assert failures(world, "user2")[0] == (0 if share else 1), "a refused attempt counts nowhere"


def _alike(answer: Answer) -> tuple[Any, ...]:
    names = tuple(name for name, _ in answer.headers)
    if not answer.kind:
        return answer.status, names, _HANGS_ON_THE_REQUEST.sub(b"", answer.body)
    return answer.status, names, tuple(sorted(answer.json.items()))


_HANGS_ON_THE_REQUEST = re.compile(rb'[A-Za-z0-9_-]{24,}|nonce="[^"]*"')
"""Ids and tokens of a page, new each time."""


def test_a_lock_tells_right_from_wrong_by_nothing_and_looks_once_a_step(world: World, user: str) -> None:
    for _ in range(5):
        _inline(world, user, world.wrong(user))
    count, until = failures(world, user)
    assert (count, until) == (5, world.clock.now + 30)
    for name, channel in CHANNELS.items():
        told = [
            _alike(channel(world, user, code))
            for code in (world.code(user), world.wrong(user), world.recovery[user][0], "\uff11" * 6)
        ]
        assert told == told[:1] * 4, name
        assert told[0][0] == 429, name
    assert failures(world, user) == (5, until)
    codes = world.runner.run(world.stage.faulty_store.inner.recovery_left(user))
    assert codes == len(world.recovery[user]), "a recovery code is not looked at"
    world.clock.now += 31
    assert _inline(world, user, world.code(user)).status == 200


def test_a_locked_account_takes_as_many_steps_for_a_right_code_as_for_a_wrong_one(world: World, user: str) -> None:
    """So that no clock tells them apart either; each in a time step of its own, in which a code is looked at."""
    for wait in (31, 61, 0):  # the third lock lasts two minutes
        for _ in range(5):
            _inline(world, user, world.wrong(user))
        world.clock.now += wait
    taken: dict[str, set[int]] = {"right": set(), "wrong": set()}
    challenge = world.post(user, "/wire")
    for number in range(4):
        world.clock.now += 30 if number else 0
        name = ("right", "wrong")[number % 2]
        world.stage.faulty_store.fail_after = 1000
        code = world.code(user) if name == "right" else world.wrong(user)
        assert world.verify(user, challenge, code).status == 429
        taken[name].add(1000 - (world.stage.faulty_store.fail_after or 0))
        world.stage.faulty_store.fail_after = None
    assert taken["right"] == taken["wrong"]
    assert len(taken["right"]) == 1


def test_beyond_the_ceiling_only_an_operator_helps(make_world: MakeWorld) -> None:
    throttle = {"account": {"failures": 2, "lock": "1s", "max_lock": "1s", "ceiling": 5}}
    world = make_world("asgi", "memory", throttle=throttle)
    world.enroll("alice")
    for _ in range(5):
        _inline(world, "alice", world.wrong("alice"))
        world.clock.now += 2
    for _ in range(6):
        world.clock.now += 30
        assert _inline(world, "alice", world.code("alice")).kind == "locked"
    world.clock.now += 10 * 365 * 86_400
    assert _inline(world, "alice", world.code("alice")).kind == "locked"
    from stepup_mw.enrollment import unlock  # noqa: PLC0415 - beside its only use

    assert world.runner.run(unlock(world.stage.gate.services, "alice")) is True
    assert _inline(world, "alice", world.code("alice")).status == 200


@given(
    moves=st.lists(st.sampled_from(["right", "wrong", "cancel", "sweep", "again", "late"]), min_size=2, max_size=7),
    together=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_challenge_has_one_end(make_world: MakeWorld, moves: list[str], together: bool) -> None:
    world = make_world("asgi", "memory")
    world.enroll("alice")
    challenge = world.post("alice", "/transfer")
    gate, url = world.stage.gate, challenge.json["verify_url"]

    async def send(code: str | None) -> None:
        target = url if code is not None else url.replace("/verify", "/cancel")
        body = orjson.dumps({"code": code})

        async def read_body(_: int) -> bytes:
            return body

        scope = asgi_scope("POST", target, who("alice"), "127.0.0.1")
        request = Request(
            method="POST", path=scope["path"], raw_path=scope["raw_path"], headers=tuple(scope["headers"]),
            peer="127.0.0.1", door="asgi", native=scope, read_body=read_body,
        )  # fmt: skip
        await gate.handle(request)

    async def move(name: str) -> None:
        if name == "sweep":
            await gate.sweep()
        elif name == "late":
            world.clock.now += 301
            await gate.sweep()
        elif name == "cancel":
            await send(None)
        else:
            await send(world.code("alice") if name in ("right", "again") else world.wrong("alice"))

    async def scene() -> None:
        if together:
            await asyncio.gather(*(move(name) for name in moves))
        else:
            for name in moves:
                await move(name)
        world.clock.now += 400
        await gate.sweep()

    world.runner.run(scene())
    ends = [line for line in world.lines() if line.get("phase") == "outcome"]
    assert len({line["event_id"] for line in ends}) == 1, "written twice, if ever, it is known for the same"
    assert len({line["status"] for line in ends}) == 1
    held: Challenge | None = world.runner.run(world.stage.faulty_store.inner.challenge(challenge.json["challenge_id"]))
    assert held is not None
    assert (held.state, held.logged) == (ends[0]["status"], True)
